"""How a document and a cursor become a prompt. Pure; training imitates exactly this code."""
