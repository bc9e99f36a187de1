"""The parts on real PostgreSQL and real Kafka."""
