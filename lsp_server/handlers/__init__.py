"""What arrives over LSP, handed on in a few lines each."""
