package line

import (
	"context"

	"parley/internal/fault"
	"parley/internal/flow/action"
	"parley/internal/line/link"
	"parley/internal/line/visit"
	"parley/internal/mixer"
	"parley/internal/mixer/ear"
)

// sides are what a host outside hears of a call, in the words of flows: in is what the caller says, out what it hears.
var sides = map[string]ear.Side{"both": ear.Both, "in": ear.Voice, "out": ear.Heard, "": ear.Nothing}

// Link implements script.Media: it links the call to a host until Unlink or its end. Without any direction it is both ways in both; with one, the other way
// is closed.
func (l *stage) Link(ctx context.Context, o *action.MediaLink) error {
	if l.x.o.Outside == nil {
		return fault.New(fault.Unavailable, "EXTERNAL_MEDIA_UNAVAILABLE", "this server sends no sound to hosts outside")
	}
	listen, speak := o.DirectionListen, o.DirectionSpeak
	if listen == "" && speak == "" {
		listen, speak = "both", "both"
	}
	k, err := link.Open(ctx, l.x.o.Outside, link.Wish{Host: o.ExternalHost, Format: o.Format, Listen: sides[listen], Speaks: speak != ""}, l.x.o.Log.With("call", l.id))
	if err != nil {
		return err
	}
	asked := l.ask(ctx, func() { err = l.linkTo(k, speak) })
	if asked != nil {
		err = asked
	}
	if err != nil {
		k.Close()
	}
	return err
}

// linkTo has a link follow the call. The line's goroutine calls it.
func (l *Line) linkTo(k *link.Link, speak string) error {
	if l.outside != nil {
		return fault.New(fault.Conflict, "EXTERNAL_MEDIA_ACTIVE", "the call is linked to a host already; end that with external_media_stop first")
	}
	v := new(visit.Visitor)
	// A player of a conference is heard by all of it. So what is for the caller alone is not played there, and what is for the others nowhere else.
	speaks := func(company bool) bool {
		return speak == "both" || company && speak == "in" || !company && speak == "out"
	}
	v.Tap = func(tag string, company bool) mixer.Tap { return k.Tap(tag, speaks(company)) }
	v.Sound = func(company bool) mixer.Sound {
		if speaks(company) {
			return k.Sound()
		}
		return nil
	}
	life := l.welcome(v)
	l.outside = v
	l.helpers.Go(func() { k.Run(life) })
	return nil
}

// Unlink implements script.Media. A call without a link has none to end.
func (l *stage) Unlink(ctx context.Context) error {
	return l.ask(ctx, func() {
		if l.outside != nil {
			l.visitors.Part(l.outside)
			l.outside = nil
		}
	})
}
