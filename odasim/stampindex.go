package odasim

import (
	"cmp"
	"slices"
	"sort"
)

// stampKey is a row's place in the index. Ties are in the order of their ids.
type stampKey struct {
	stamp moment
	id    int64
}

func compareKeys(a, b stampKey) int {
	if c := cmp.Compare(a.stamp, b.stamp); c != 0 {
		return c
	}
	return cmp.Compare(a.id, b.id)
}

// stampIndex orders the rows of a set by stamp, then id.
type stampIndex struct{ blocks [][]stampKey }

// seek returns the place of the first key that is not before k.
func (x *stampIndex) seek(k stampKey) place {
	b := sort.Search(len(x.blocks), func(i int) bool {
		keys := x.blocks[i]
		return compareKeys(keys[len(keys)-1], k) >= 0
	})
	if b == len(x.blocks) {
		return place{block: b}
	}
	at, _ := slices.BinarySearchFunc(x.blocks[b], k, compareKeys)
	return place{block: b, at: at}
}

// after returns the place behind the last key of a stamp.
func (x *stampIndex) after(m moment) place {
	if m == lastMoment {
		return place{block: len(x.blocks)}
	}
	return x.seek(stampKey{stamp: m + 1, id: minID})
}

// wider reports whether there are more than n keys between two places.
func (x *stampIndex) wider(from, to place, n int) bool {
	n += from.at - to.at
	for b := from.block; b < to.block && n >= 0; b++ {
		n -= len(x.blocks[b])
	}
	return n < 0
}

// insert adds a new key.
func (x *stampIndex) insert(k stampKey) {
	p := x.seek(k)
	if p.block == len(x.blocks) {
		if p.block == 0 || len(x.blocks[p.block-1]) >= blockRows {
			x.blocks = append(x.blocks, nil)
		} else {
			p = place{block: p.block - 1, at: len(x.blocks[p.block-1])}
		}
	}
	keys := slices.Insert(x.blocks[p.block], p.at, k)
	x.blocks[p.block] = keys
	if len(keys) > blockRows {
		upper := slices.Clone(keys[len(keys)/2:])
		x.blocks[p.block] = keys[:len(keys)/2]
		x.blocks = slices.Insert(x.blocks, p.block+1, upper)
	}
}

// remove removes a key, which must exist.
func (x *stampIndex) remove(k stampKey) {
	p := x.seek(k)
	x.blocks[p.block] = slices.Delete(x.blocks[p.block], p.at, p.at+1)
	if len(x.blocks[p.block]) == 0 {
		x.blocks = slices.Delete(x.blocks, p.block, p.block+1)
	}
}

// from calls yield with the keys from p upwards until it returns false.
func (x *stampIndex) from(p place, yield func(stampKey) bool) {
	for b := p.block; b < len(x.blocks); b++ {
		for _, k := range x.blocks[b][p.at:] {
			if !yield(k) {
				return
			}
		}
		p.at = 0
	}
}

// before calls yield with the keys below p downwards until it returns false.
func (x *stampIndex) before(p place, yield func(stampKey) bool) {
	for b := p.block; b >= 0; b-- {
		if b < len(x.blocks) {
			for _, k := range slices.Backward(x.blocks[b][:p.at]) {
				if !yield(k) {
					return
				}
			}
		}
		if b > 0 {
			p.at = len(x.blocks[b-1])
		}
	}
}

// newStampIndex returns the index of rows that may be in any order.
func newStampIndex(rows []row) stampIndex {
	keys := make([]stampKey, len(rows))
	for i, r := range rows {
		keys[i] = stampKey{stamp: r.stamp, id: r.id}
	}
	slices.SortFunc(keys, compareKeys)
	var x stampIndex
	for part := range slices.Chunk(keys, blockRows*3/4) {
		x.blocks = append(x.blocks, slices.Clone(part))
	}
	return x
}
