package machine

import "flag"

// Parallel has a package run n of its tests at once, whatever the number of processors,
// because they mostly wait; -parallel on the command line overrides it. TestMain calls it.
func Parallel(n string) {
	if !Given("test.parallel") {
		set("test.parallel", n)
	}
}

// Given reports whether a flag is on the command line.
func Given(name string) (given bool) {
	if !flag.Parsed() {
		flag.Parse()
	}
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	return given
}

func set(name, value string) {
	if err := flag.Set(name, value); err != nil {
		panic(err)
	}
}
