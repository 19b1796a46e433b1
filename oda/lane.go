package oda

// Lane says how urgent a request is when the budget is short.
type Lane int

const (
	// Tail goes first: what is new. It is the zero value.
	Tail Lane = iota
	// Scan waits for the tail, but gets at least every fifth grant while it
	// waits: re-reading whole sets.
	Scan

	lanes = iota // how many there are
)

// String gives the lane's name in metrics and logs.
func (l Lane) String() string {
	if l == Scan {
		return "scan"
	}
	return "tail"
}
