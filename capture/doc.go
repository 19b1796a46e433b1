// Package capture is the poller: it finds every change at the source and
// publishes it once, in order.
//
// A session works on one entity under the entity's lease (session.go). It first
// reads the entity's topic to its end and folds it into the ledger (fold.go). Then
// a tail (tail.go) and a scan (scan.go) read pages from the source and submit them
// to the entity's writer (writer.go). The writer compares the rows with the ledger
// (compare.go), the sender publishes what differs (sender.go), and the saver saves
// what was acknowledged, together with the progress of tail and scan (saver.go).
//
// Invariant 1: the ledger and the watermark pass a row only after its record is
// acknowledged. A process that is killed at any moment has either saved a row, or
// the next process reads the row again and finds its record in the topic.
//
// The package knows nothing of HTTP, of SQL, or of Kafka's protocol. Each type
// names what it calls in a small interface beside it.
package capture
