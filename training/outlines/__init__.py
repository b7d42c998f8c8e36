"""What is known of a source file: its lines, its syntax, its docstring/implementation pairs."""
