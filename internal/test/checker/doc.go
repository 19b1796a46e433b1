// Package checker judges a sink from outside, in the manner of Jepsen's checker
// for Kafka: it is given every record that stands on the topics and what the
// tables held at many moments while the sink was killed, frozen and cut off, and
// says what was lost, doubled, regressed, or moved without its rows. An Author
// makes up what the topics are given.
//
// Invariant: the tables at any one moment must be exactly what the records before
// the offsets of that moment make of them; nothing is forgiven because it was
// mended later. The package knows nothing of how the sink works, nor of Kafka.
package checker
