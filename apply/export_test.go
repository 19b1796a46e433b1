package apply

// Read is how many offsets the sink has taken in since its start, applied or not.
func Read(s *Sink) (n int) {
	owned, _ := s.public.Load().State()
	for _, p := range owned {
		n += int(p.Read - p.Start)
	}
	return n
}
