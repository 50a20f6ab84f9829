// Package visit has visitors of a call follow it from place to place: they hear it, and say something, without being a party to it. Visitors belong to the
// goroutine of their line; the package starts none.
package visit

import (
	"context"
	"slices"

	"parley/internal/mixer"
)

// Visitor is one. company says whether the call is in a conference, or alone.
type Visitor struct {
	Tap   func(tag string, company bool) mixer.Tap // nil: hears nothing
	Sound func(company bool) mixer.Sound           // returns nil when it says nothing

	end   context.CancelCauseFunc
	leave func() // the present place; nil for none
}

// Place is where a call is.
type Place struct {
	Tag     string // of the call's port
	Company bool
	// Enter shows the place to the tap and has it hear the sound, until leave has returned, which stops the sound; either may be nil. A nil leave says that
	// it could not.
	Enter func(t mixer.Tap, s mixer.Sound) (leave func())
}

// Visitors are those of one call. The zero value has none.
type Visitors struct{ all []*Visitor }

// Welcome has a visitor follow the call, from the place where that is now, nil for nowhere. life ends with the visit.
func (vs *Visitors) Welcome(v *Visitor, at *Place) (life context.Context) {
	life, v.end = context.WithCancelCause(context.Background())
	vs.all = append(vs.all, v)
	v.enter(at)
	return life
}

// Part ends a visit.
func (vs *Visitors) Part(v *Visitor) {
	if i := slices.Index(vs.all, v); i >= 0 {
		vs.all = slices.Delete(vs.all, i, i+1)
	}
	v.depart()
	v.end(context.Canceled)
}

// Follow brings all to where the call is now, nil for nowhere.
func (vs *Visitors) Follow(to *Place) {
	for _, v := range vs.all {
		v.enter(to)
	}
}

// Dismiss ends all visits, for a reason.
func (vs *Visitors) Dismiss(why error) {
	for _, v := range vs.all {
		v.depart()
		v.end(why)
	}
	vs.all = nil
}

// enter brings the visitor to a place, and nowhere else.
func (v *Visitor) enter(at *Place) {
	if v.depart(); at == nil {
		return
	}
	var t mixer.Tap
	if v.Tap != nil {
		t = v.Tap(at.Tag, at.Company)
	}
	s := v.Sound(at.Company)
	if s == nil {
		v.leave = at.Enter(t, nil)
		return
	}
	stays := newStaying(s)
	if leave := at.Enter(t, stays); leave != nil {
		v.leave = func() { leave(); stays.wait() }
	}
}

// depart takes the visitor from where it is.
func (v *Visitor) depart() {
	if v.leave != nil {
		v.leave()
		v.leave = nil
	}
}
