// Package e2e holds the end-to-end tests: a source, the real poller and sink as
// processes, Apache Kafka and Postgres. It has only tests.
package e2e
