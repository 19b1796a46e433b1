// Package kafkatest provides a Kafka for tests: a fake one in the process, or the real
// one.
//
// Invariant: a test that asks for the real broker never passes without it. If Java is
// missing, the test is skipped and logs why; in CI it fails. The package knows nothing of
// topics' contents.
package kafkatest
