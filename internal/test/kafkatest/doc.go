// Package kafkatest gives tests a Kafka: a fake one in the process, or the
// real one.
//
// Invariant: a test that asks for the real broker never passes without it. It
// is skipped out loud where Java is missing, and fails where CI demands one.
// The package knows nothing of topics' contents.
package kafkatest
