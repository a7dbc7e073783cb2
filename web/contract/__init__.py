"""What the API says of itself, in the words of OpenAPI and AsyncAPI. Nothing here is loaded before it is asked for."""
