package schema

// IDSet is a set of ids. A bit stands for an id, so the ids of an entity, most of which
// follow each other, take little memory. The zero value is empty.
type IDSet struct {
	pages map[int64]*idPage // by id / idPageBits, rounded down
	n     int64
}

const (
	idPageBits = 1 << 12
	// maxIDPages limits a set to 64 MiB: ids of other people's records may lie anywhere.
	maxIDPages = 1 << 17
)

// idPage has a bit for each id of a page.
type idPage [idPageBits / 64]uint64

// Add adds an id. It returns false, and adds nothing, if the set would take more than
// 64 MiB.
func (s *IDSet) Add(id int64) bool {
	page := s.pages[id>>12]
	if page == nil {
		if len(s.pages) >= maxIDPages {
			return false
		}
		if s.pages == nil {
			s.pages = map[int64]*idPage{}
		}
		page = new(idPage)
		s.pages[id>>12] = page
	}
	word, bit := place(id)
	if page[word]&bit == 0 {
		page[word] |= bit
		s.n++
	}
	return true
}

// Remove removes an id, if it is in the set.
func (s *IDSet) Remove(id int64) {
	if s.Has(id) {
		word, bit := place(id)
		s.pages[id>>12][word] &^= bit
		s.n--
	}
}

// Has reports whether an id is in the set.
func (s *IDSet) Has(id int64) bool {
	page := s.pages[id>>12]
	word, bit := place(id)
	return page != nil && page[word]&bit != 0
}

// Len returns the number of ids.
func (s *IDSet) Len() int64 { return s.n }

// place returns where the bit of an id is in its page.
func place(id int64) (word int, bit uint64) {
	at := uint64(id) % idPageBits
	return int(at / 64), 1 << (at % 64)
}
