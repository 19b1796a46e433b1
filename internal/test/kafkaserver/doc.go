// Package kafkaserver runs real Apache Kafka, one broker in KRaft mode, from
// its jars: what the fakes are held against, without Docker.
//
// Invariant: a broker stopped, killed or cut off starts again on the same
// directory with the same address and every acknowledged record. The package
// knows nothing of topics, and the product does not use it.
package kafkaserver
