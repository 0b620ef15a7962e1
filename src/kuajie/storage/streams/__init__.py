"""Streams of messages: Redis Streams (extra `redis`) and Kafka (extra `kafka`)."""
