package oda

// Lane says how urgent a request is when the budget is short.
type Lane int

const (
	// Tail goes first: reading new changes. It is the zero value.
	Tail Lane = iota
	// Scan is for reading whole sets again. It waits for the tail, but gets at least
	// every fifth grant.
	Scan

	lanes = iota // the number of lanes
)

// String returns the lane's name in metrics and logs.
func (l Lane) String() string {
	if l == Scan {
		return "scan"
	}
	return "tail"
}
