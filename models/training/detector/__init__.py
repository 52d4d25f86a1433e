"""The plate detector: data, network, training, export and measurement."""
