package stream

import (
	"testing"

	"odastream/internal/test/machine"
)

func TestMain(m *testing.M) {
	machine.Parallel("6")
	m.Run()
}
