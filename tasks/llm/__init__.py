"""Writing the answer: quoted sentences by default, any OpenAI-compatible endpoint when configured."""
