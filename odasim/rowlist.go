package odasim

import (
	"slices"
	"sort"
)

// blockRows is the highest number of rows in a block. It is so small that an insertion
// moves little memory, and so large that two million rows need few blocks.
const blockRows = 256

// row is one row, ready to be sent.
type row struct {
	id    int64
	stamp moment
	data  []byte // compact JSON; never modified
}

// rowBlock holds rows with neighbouring ids, in one slice a column, so that a search by
// id or by stamp reads only the numbers.
type rowBlock struct {
	ids    []int64
	stamps []moment
	data   [][]byte
	lo, hi moment // least and greatest stamp in the block, without nulls
}

// rowList holds the rows of a set by id. Blocks know the range of their stamps, so a
// search for recent stamps skips the blocks that have none.
type rowList struct {
	blocks []rowBlock // by value: skipping blocks reads memory in sequence
	n      int
}

// place is the position of a row: block and index in it.
type place struct{ block, at int }

// seek returns the place of the first row with an id of at least id.
func (l *rowList) seek(id int64) place {
	b := sort.Search(len(l.blocks), func(i int) bool {
		ids := l.blocks[i].ids
		return ids[len(ids)-1] >= id
	})
	if b == len(l.blocks) {
		return place{block: b}
	}
	at, _ := slices.BinarySearch(l.blocks[b].ids, id)
	return place{block: b, at: at}
}

// holds reports whether the row with the id is at p.
func (l *rowList) holds(p place, id int64) bool {
	return p.block < len(l.blocks) && l.blocks[p.block].ids[p.at] == id
}

// get returns the row with the id.
func (l *rowList) get(id int64) (row, bool) {
	p := l.seek(id)
	if !l.holds(p, id) {
		return row{}, false
	}
	return l.blocks[p.block].row(p.at), true
}

// nth returns the row at a rank, 0 to n-1.
func (l *rowList) nth(rank int) row {
	for i := range l.blocks {
		if rank < len(l.blocks[i].ids) {
			return l.blocks[i].row(rank)
		}
		rank -= len(l.blocks[i].ids)
	}
	return row{}
}

// rank returns the number of rows before p.
func (l *rowList) rank(p place) int {
	n := p.at
	for i := range p.block {
		n += len(l.blocks[i].ids)
	}
	return n
}

// put adds a row or replaces the one with its id, which it returns.
func (l *rowList) put(r row) (old row, replaced bool) {
	p := l.seek(r.id)
	if l.holds(p, r.id) {
		b := &l.blocks[p.block]
		old = b.row(p.at)
		b.stamps[p.at], b.data[p.at] = r.stamp, r.data
		b.measure()
		return old, true
	}
	l.insert(p, r)
	l.n++
	return row{}, false
}

// insert puts a new row at p; behind the last block means at that block's end.
func (l *rowList) insert(p place, r row) {
	if p.block == len(l.blocks) {
		if p.block == 0 || len(l.blocks[p.block-1].ids) >= blockRows {
			l.blocks = append(l.blocks, rowBlock{lo: lastMoment, hi: noMoment})
		} else {
			p = place{block: p.block - 1, at: len(l.blocks[p.block-1].ids)}
		}
	}
	b := &l.blocks[p.block]
	b.ids = slices.Insert(b.ids, p.at, r.id)
	b.stamps = slices.Insert(b.stamps, p.at, r.stamp)
	b.data = slices.Insert(b.data, p.at, r.data)
	if len(b.ids) > blockRows {
		upper := b.split()
		b.measure()
		l.blocks = slices.Insert(l.blocks, p.block+1, upper)
		return
	}
	b.widen(r.stamp)
}

// remove removes the row with the id.
func (l *rowList) remove(id int64) (old row, removed bool) {
	p := l.seek(id)
	if !l.holds(p, id) {
		return row{}, false
	}
	b := &l.blocks[p.block]
	old = b.row(p.at)
	b.ids = slices.Delete(b.ids, p.at, p.at+1)
	b.stamps = slices.Delete(b.stamps, p.at, p.at+1)
	b.data = slices.Delete(b.data, p.at, p.at+1)
	l.n--
	if len(b.ids) == 0 {
		l.blocks = slices.Delete(l.blocks, p.block, p.block+1)
		return old, true
	}
	b.measure()
	return old, true
}

// row returns the row at an index of the block.
func (b *rowBlock) row(i int) row {
	return row{id: b.ids[i], stamp: b.stamps[i], data: b.data[i]}
}

// split moves the upper half of the block into a new one.
func (b *rowBlock) split() rowBlock {
	half := len(b.ids) / 2
	upper := rowBlock{
		ids:    slices.Clone(b.ids[half:]),
		stamps: slices.Clone(b.stamps[half:]),
		data:   slices.Clone(b.data[half:]),
	}
	b.ids, b.stamps, b.data = b.ids[:half], b.stamps[:half], b.data[:half]
	upper.measure()
	return upper
}

// measure computes the range of the block's stamps again.
func (b *rowBlock) measure() {
	b.lo, b.hi = lastMoment, noMoment
	for _, m := range b.stamps {
		b.widen(m)
	}
}

// widen extends the range to one more stamp.
func (b *rowBlock) widen(m moment) {
	b.hi = max(b.hi, m)
	if m != noMoment {
		b.lo = min(b.lo, m)
	}
}

// newRowList makes a list of rows that are sorted by id.
func newRowList(rows []row) rowList {
	l := rowList{n: len(rows)}
	for part := range slices.Chunk(rows, blockRows*3/4) {
		var b rowBlock
		for _, r := range part {
			b.ids, b.stamps, b.data = append(b.ids, r.id), append(b.stamps, r.stamp), append(b.data, r.data)
		}
		b.measure()
		l.blocks = append(l.blocks, b)
	}
	return l
}
