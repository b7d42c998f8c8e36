"""An adapter out of training: as llama.cpp's LoRA file, or baked into its base."""
