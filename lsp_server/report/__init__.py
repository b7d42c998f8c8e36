"""What Tenon learnt and did, as one page: what is on disk is collected, plotted and laid out."""
