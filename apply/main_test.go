package apply_test

import (
	"testing"

	"odastream/internal/test/machine"
)

func TestMain(m *testing.M) {
	machine.Parallel("8")
	m.Run()
}
