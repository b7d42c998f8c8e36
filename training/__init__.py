"""Trains adapters for repositories; runs in processes of its own."""
