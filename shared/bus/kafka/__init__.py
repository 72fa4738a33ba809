"""The bus of the distributed form: Apache Kafka through aiokafka, which only this package knows."""
