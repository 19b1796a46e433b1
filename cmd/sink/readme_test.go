package main

import (
	"os"
	"testing"

	document "odastream/internal/settings"
)

func TestREADMEHasEverySetting(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, missing := range document.Undocumented(string(readme), &settings{}) {
		t.Errorf("README.md has no true row for %s", missing)
	}
}
