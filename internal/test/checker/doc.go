// Package checker judges a sink from outside, like Jepsen's checker for Kafka. It gets
// every record of the topics, and the content of the tables at many moments while the
// sink was killed, frozen and cut off. It reports what was lost, doubled, regressed, or
// moved without its rows. An Author invents the records.
//
// Invariant: at each moment the tables must be exactly the result of the records before
// the offsets of that moment. A fault counts even if it was repaired later. The package
// knows nothing of Kafka or of how the sink works.
//
// It reads the tables with SQL of its own. They belong to package cache, but what the sink
// wrote through cache must not be read through cache: one wrong idea of a table, in both
// directions, would hide itself.
package checker
