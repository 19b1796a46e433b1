// Package gateway gives the copy back by HTTP: as the OData that clients of the source
// speak (/api).
//
// The way of a request: ServeHTTP gives it an id and picks an endpoint; the endpoint reads
// it into a question, which knows what it costs and which entities its answer is of; the
// question is answered from the client's own copy if nothing has changed (freshness), and
// otherwise once its class has a place (admission); the answer is a whole before its first
// byte is sent.
//
// Invariant: an answer is the copy's truth of one moment, whole, and says how fresh it is;
// or it is an error that says what to do. Its tag is that of its content: it changes
// exactly when the answer does.
//
// It knows no SQL, and keeps nothing that another gateway over the same copy would need.
package gateway
