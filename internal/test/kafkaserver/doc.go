// Package kafkaserver runs real Apache Kafka, one broker in KRaft mode, from its jars,
// without Docker. The fakes are tested against it.
//
// Invariant: a broker that was stopped, killed or cut off starts again on the same
// directory, with the same address and every acknowledged record. The package knows
// nothing of topics, and only tests use it.
package kafkaserver
