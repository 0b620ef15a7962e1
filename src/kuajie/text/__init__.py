"""Text: words of Chinese and English, and finding documents by them."""
