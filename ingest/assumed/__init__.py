"""What ingest takes for granted of the services it asks, put to the test."""
