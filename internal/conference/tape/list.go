package tape

import "slices"

// Active returns the place of the recording that runs, -1 for none.
func Active(all []Recording) int {
	return slices.IndexFunc(all, func(r Recording) bool { return r.Status == Running })
}

// Find returns the place of a recording, -1 for none.
func Find(all []Recording, id string) int {
	return slices.IndexFunc(all, func(r Recording) bool { return r.ID == id })
}

// With returns a new list of those that have not ended, with what a recording has become.
func With(all []Recording, r Recording) []Recording {
	i := Find(all, r.ID)
	switch {
	case r.Status == Ended && i < 0:
		return all
	case r.Status == Ended:
		return slices.Delete(slices.Clone(all), i, i+1)
	case i < 0:
		return append(slices.Clone(all), r)
	}
	all = slices.Clone(all)
	all[i] = r
	return all
}

// FindNotice returns the place of a participant's notice, -1 for none.
func FindNotice(all []Notice, participant string) int {
	return slices.IndexFunc(all, func(n Notice) bool { return n.Participant == participant })
}

// WithNotice returns a new list with what a participant's notice has become.
func WithNotice(all []Notice, n Notice) []Notice {
	all = slices.Clone(all)
	if i := FindNotice(all, n.Participant); i >= 0 {
		all[i] = n
		return all
	}
	return append(all, n)
}

// WithoutNotices returns a list without those that are gone, a new one when there are any.
func WithoutNotices(all []Notice, gone func(Notice) bool) []Notice {
	if slices.ContainsFunc(all, gone) {
		return slices.DeleteFunc(slices.Clone(all), gone)
	}
	return all
}

// Pressed returns a new list that notes that a participant has agreed to what it is told or has been told.
func Pressed(all []Notice, participant string) []Notice {
	i := FindNotice(all, participant)
	if i < 0 || all[i].Kind != Press1 {
		return all
	}
	all = slices.Clone(all)
	all[i].Pressed = true
	return all
}
