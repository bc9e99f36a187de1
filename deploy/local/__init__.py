"""Real PostgreSQL and real Kafka as child processes, for the demo, the tests and the benchmarks."""
