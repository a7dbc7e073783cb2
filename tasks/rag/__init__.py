"""Finding passages in documents: formats, chunks, the index behind a small protocol, fusion, the plan."""
