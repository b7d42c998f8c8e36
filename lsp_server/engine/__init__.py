"""The embedded engine (a loopback HTTP process around llama.cpp) and its client."""
