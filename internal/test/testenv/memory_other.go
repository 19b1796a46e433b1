//go:build !linux

package main

// memoryRoot returns "": only Linux has a file system in memory at a known place.
func memoryRoot(uint64) string { return "" }
