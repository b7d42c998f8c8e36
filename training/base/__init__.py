"""The base that is trained over: the served GGUF as a frozen model, and its tokenizer."""
