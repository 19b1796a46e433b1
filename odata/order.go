package odata

import (
	"cmp"
	"sync"
	"time"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
)

// Compare orders two rows by the keys of an $orderby, as CompareValues orders the values
// of the keys. It is 0 where the rows tie.
func Compare(keys []OrderKey, a, b Record) int {
	for _, k := range keys {
		c := CompareValues(Eval(k.Expr, a), Eval(k.Expr, b))
		if k.Desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// CompareValues orders two values of one type, or of two that compare: null is before all
// values, and texts stand in Danish order without regard to case.
func CompareValues(a, b any) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return compareValues(a, b)
}

// compareValues compares two values of types that compare; neither is null.
func compareValues(a, b any) int {
	switch a := a.(type) {
	case string:
		return compareTexts(a, b.(string))
	case time.Time:
		return a.Compare(b.(time.Time))
	case bool:
		return cmp.Compare(ordinal(a), ordinal(b.(bool)))
	}
	return compareNumbers(a, b)
}

func ordinal(b bool) int {
	if b {
		return 1
	}
	return 0
}

func compareNumbers(a, b any) int {
	x, xInt := a.(int64)
	y, yInt := b.(int64)
	if xInt && yInt {
		return cmp.Compare(x, y)
	}
	fx, _ := float(a)
	fy, _ := float(b)
	return cmp.Compare(fx, fy)
}

// collators are not safe for use by two goroutines at once.
var collators = sync.Pool{New: func() any { return collate.New(language.Danish) }}

// compareTexts compares texts in Danish order; those that differ in case alone tie.
func compareTexts(a, b string) int {
	c := collators.Get().(*collate.Collator)
	defer collators.Put(c)
	return c.CompareString(fold(a), fold(b))
}
