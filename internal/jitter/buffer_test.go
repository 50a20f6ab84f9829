package jitter

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// packet is one that will arrive.
type packet struct {
	seq     uint16
	stamp   uint32
	arrives time.Duration
}

// stream makes n packets of 20 ms that leave on time.
func stream(n int, first uint16) []packet { return streamOf(n, first, frame) }

// streamOf makes n packets of a length.
func streamOf(n int, first uint16, length time.Duration) []packet {
	list := make([]packet, n)
	for i := range list {
		list[i] = packet{first + uint16(i), uint32(i) * uint32(length.Milliseconds()) * 8, time.Duration(i) * length}
	}
	return list
}

// outcome of a run.
type outcome struct {
	played, lost, underruns, waits int
	givenUp, mendable              int
	order                          bool // payloads came in order
	delays                         []time.Duration
	verdicts                       map[Verdict]int
}

// concealed frames of 20 ms.
func (o outcome) concealed() int { return o.lost + o.underruns }

// run delivers the packets and plays 20 ms each 20 ms, phase after the packets of a steady stream.
func run(b *Buffer, packets []packet, phase time.Duration, ticks int) outcome {
	return runOf(b, packets, phase, ticks, frame)
}

func runOf(b *Buffer, packets []packet, phase time.Duration, ticks int, length time.Duration) outcome {
	o := outcome{order: true, verdicts: map[Verdict]int{}}
	queue := slices.Clone(packets)
	slices.SortStableFunc(queue, func(a, b packet) int { return int(a.arrives - b.arrives) })
	last, ready := -1, time.Duration(0)
	for tick := range ticks {
		now := time.Duration(tick)*frame + phase
		for len(queue) > 0 && queue[0].arrives <= now {
			p := queue[0]
			queue = queue[1:]
			o.verdicts[b.Push(p.seq, p.stamp, []byte{byte(p.stamp / 80), byte(p.stamp / 80 >> 8)}, p.arrives)]++
		}
		for ready -= frame; ready < 0; {
			ready += o.play(b, now, length, &last)
		}
	}
	return o
}

// play takes what is due and returns how long it is.
func (o *outcome) play(b *Buffer, now, length time.Duration, last *int) time.Duration {
	due := b.Pop(now, false)
	o.givenUp += due.GivenUp
	switch due.Kind {
	case Packet:
		o.played++
		n := int(due.Payload[0]) | int(due.Payload[1])<<8
		o.order = o.order && n > *last
		*last = n
		o.delays = append(o.delays, b.Delay())
	case Lost:
		o.lost++
		length = due.Length
		if due.Next != nil {
			o.mendable++
		}
	case Wait:
		o.waits++
		if due.Underrun {
			o.underruns++
		}
		length = frame
	}
	b.Played(due.Kind, length)
	return length
}

func TestPerfectStreamWaitsUnderAFrame(t *testing.T) {
	for _, phase := range []time.Duration{0, time.Millisecond, 10 * time.Millisecond, 19 * time.Millisecond} {
		o := run(New(Config{}), stream(500, 65500), phase, 500) // the sequence number wraps
		if o.played != 500 || o.lost+o.underruns != 0 || !o.order || slices.Max(o.delays) >= frame {
			t.Errorf("phase %v: %d played, %d lost, %d underruns, delay %v", phase, o.played, o.lost, o.underruns, slices.Max(o.delays))
		}
	}
}

// TestLossCostsItsOwnTime loses packets of every length: what is made up is as long as what is missing, and nothing waits longer afterwards.
func TestLossCostsItsOwnTime(t *testing.T) {
	for _, c := range []struct {
		length    time.Duration
		from, to  int
		concealed int // frames, or halves where packets are of 10 ms
	}{{frame, 50, 51, 1}, {frame, 50, 52, 2}, {frame, 50, 60, 10}, {3 * frame, 20, 21, 3}, {3 * frame, 20, 22, 6}, {2 * frame, 20, 21, 2}} {
		n := int((2*time.Second + c.length - 1) / c.length)
		packets := slices.Delete(streamOf(n, 1, c.length), c.from, c.to)
		o := runOf(New(Config{}), packets, 5*time.Millisecond, 100, c.length)
		if o.played != len(packets) || o.concealed() != c.concealed || o.givenUp != c.to-c.from || !o.order || slices.Max(o.delays) >= frame {
			t.Errorf("packets %d to %d of %v: %d played, %d+%d concealed, %d given up, delay %v", c.from, c.to, c.length, o.played, o.lost, o.underruns, o.givenUp, slices.Max(o.delays))
		}
	}
	packets := slices.Delete(streamOf(200, 1, frame/2), 50, 51) // one of 10 ms, behind another of the same tick
	o := runOf(New(Config{}), packets, 15*time.Millisecond, 100, frame/2)
	if o.played != 199 || o.concealed() != 1 || o.givenUp != 1 || slices.Max(o.delays) > frame {
		t.Errorf("packets of 10 ms: %d played, %d+%d concealed, %d given up, delay %v", o.played, o.lost, o.underruns, o.givenUp, slices.Max(o.delays))
	}
}

// TestRedundancyIsWaitedFor: where packets mend the one before and some are lost, they must be here in time for it.
func TestRedundancyIsWaitedFor(t *testing.T) {
	var packets []packet
	for i, p := range stream(1000, 1) {
		if i%20 != 10 {
			packets = append(packets, p)
		}
	}
	o := run(New(Config{Redundant: true}), packets, 5*time.Millisecond, 1000)
	if o.givenUp != 50 || o.mendable < 45 || o.concealed() > 53 || slices.Max(o.delays) > 60*time.Millisecond {
		t.Errorf("%d lost, %d mendable, %d concealed, delay %v", o.givenUp, o.mendable, o.concealed(), slices.Max(o.delays))
	}
	if plain := run(New(Config{}), packets, 5*time.Millisecond, 1000); slices.Max(plain.delays) >= frame {
		t.Errorf("without redundancy the delay is %v", slices.Max(plain.delays))
	}
}

// TestRecurringSpikesAreWaitedFor: every two seconds the network holds packets up for 70 ms.
func TestRecurringSpikesAreWaitedFor(t *testing.T) {
	packets := stream(3000, 1)
	for i := 50; i+4 < len(packets); i += 100 {
		for k := range 4 {
			packets[i+k].arrives = time.Duration(i)*frame + 70*time.Millisecond
		}
	}
	o := run(New(Config{}), packets, 5*time.Millisecond, 3000)
	if o.concealed() > 20 || o.verdicts[Late] > 0 || slices.Max(o.delays) > 110*time.Millisecond {
		t.Errorf("%d frames concealed for 30 spikes of 4 frames, delay %v", o.concealed(), slices.Max(o.delays))
	}
}

// TestOneWrongNumberChangesNothing: only a row of packets is a new stream.
func TestOneWrongNumberChangesNothing(t *testing.T) {
	packets := stream(200, 1)
	packets[50].seq += 20000
	packets[100].seq -= 300
	packets[101].seq -= 300
	o := run(New(Config{}), packets, 5*time.Millisecond, 200)
	if o.played != 197 || o.verdicts[Stray] != 3 || o.verdicts[Restarted] != 0 {
		t.Errorf("%d played, %v", o.played, o.verdicts)
	}
}

func TestLossOffersTheNextPacket(t *testing.T) {
	b := New(Config{})
	b.Push(1, 0, []byte("a"), 0)
	b.Push(3, 320, []byte("c"), 0)
	first := b.Pop(0, false)
	b.Played(first.Kind, frame)
	second := b.Pop(frame, false)
	if second.Kind != Lost || string(second.Next) != "c" || second.Length != frame || second.GivenUp != 1 {
		t.Errorf("got %+v", second)
	}
	b.Played(second.Kind, frame)
	if third := b.Pop(2*frame, false); third.Kind != Packet || string(third.Payload) != "c" {
		t.Errorf("got %+v", third)
	}
}

func TestReorderingIsMended(t *testing.T) {
	packets := stream(400, 1)
	for i := 10; i+1 < len(packets); i += 10 {
		packets[i].arrives += 25 * time.Millisecond // after its follower
	}
	o := run(New(Config{}), packets, 2*time.Millisecond, 420)
	if !o.order || o.lost > 3 || o.played < 396 {
		t.Errorf("%d played, %d lost, %d underruns: it must learn to wait", o.played, o.lost, o.underruns)
	}
}

func TestDuplicates(t *testing.T) {
	packets := stream(100, 1)
	packets = append(packets, packets[10:90]...)
	o := run(New(Config{}), packets, 2*time.Millisecond, 100)
	if o.played != 100 || o.verdicts[Duplicate] != 80 || o.lost != 0 {
		t.Errorf("%d played, %v", o.played, o.verdicts)
	}
}

func TestDelayComesBackAfterAStall(t *testing.T) {
	packets := stream(600, 1)
	for i := 100; i < 110; i++ {
		packets[i].arrives = packets[110].arrives // 200 ms of nothing, then all at once
	}
	o := run(New(Config{}), packets, 5*time.Millisecond, 600)
	if end := o.delays[len(o.delays)-1]; end >= 2*frame {
		t.Errorf("delay is %v ten seconds after a stall", end)
	}
	worst := slices.Max(o.delays)
	if worst > 220*time.Millisecond || worst < 100*time.Millisecond {
		t.Errorf("worst delay %v", worst)
	}
	after := o.delays[len(o.delays)-300] // 4 s after the stall
	if after > 60*time.Millisecond {
		t.Errorf("delay is still %v four seconds after a stall", after)
	}
}

func TestClockDrift(t *testing.T) {
	for _, drift := range []float64{0.9995, 1.0005} { // 500 ppm, five times what phones have
		packets := stream(6000, 1)
		for i := range packets {
			packets[i].arrives = time.Duration(float64(packets[i].arrives) * drift)
		}
		o := run(New(Config{}), packets, 5*time.Millisecond, 6000)
		if worst := slices.Max(o.delays); worst > 70*time.Millisecond || o.played < 5980 || !o.order {
			t.Errorf("drift %v: %d played, worst delay %v, %d underruns", drift, o.played, worst, o.underruns)
		}
	}
}

func TestSilenceThatIsNotSent(t *testing.T) {
	packets := append(stream(50, 1), stream(50, 51)...)
	for i := 50; i < 100; i++ { // a second of nothing; numbers go on, timestamps jump
		packets[i].stamp += 100 * 160
		packets[i].arrives += 100 * frame
	}
	o := run(New(Config{}), packets, 5*time.Millisecond, 200)
	if o.played != 100 || o.lost != 0 || slices.Max(o.delays) >= 2*frame {
		t.Errorf("%d played, %d lost, delay %v", o.played, o.lost, slices.Max(o.delays))
	}
}

func TestNewStreamUnderTheSameSource(t *testing.T) {
	packets := append(stream(50, 1), stream(50, 30000)...)
	for i := 50; i < 100; i++ {
		packets[i].stamp, packets[i].arrives = 1<<31+uint32(i)*160, packets[i].arrives+50*frame
	}
	o := run(New(Config{}), packets, 5*time.Millisecond, 110)
	if o.played != 98 || o.verdicts[Restarted] != 1 { // two to confirm
		t.Errorf("%d played, %v", o.played, o.verdicts)
	}
}

// TestPacketLengths plays streams of every usual length without a loss.
func TestPacketLengths(t *testing.T) {
	for _, ms := range []int{10, 20, 30, 40, 60} {
		length := time.Duration(ms) * time.Millisecond
		n := int((6*time.Second + length - 1) / length)
		o := runOf(New(Config{}), streamOf(n, 65000, length), 5*time.Millisecond, 300, length)
		if o.played < n-2 || o.concealed() > 1 || slices.Max(o.delays) >= 2*frame {
			t.Errorf("%v: %d of %d played, %d concealed, delay %v", length, o.played, n, o.concealed(), slices.Max(o.delays))
		}
	}
}

// TestEmptyPacketsTakeNoTime: a telephone event of 200 ms stands between audio, one of its packets is lost.
func TestEmptyPacketsTakeNoTime(t *testing.T) {
	b := New(Config{})
	o := outcome{order: true}
	last := -1
	for tick := range 100 {
		now := time.Duration(tick)*frame + 5*time.Millisecond
		switch {
		case tick == 45: // lost
		case tick >= 40 && tick < 50:
			b.Push(uint16(tick), 40*160, nil, now-5*time.Millisecond)
		default:
			b.Push(uint16(tick), uint32(tick)*160, []byte{byte(tick), 0}, now-5*time.Millisecond)
		}
		o.play(b, now, frame, &last)
	}
	if o.played != 90 || o.lost != 0 || o.underruns != 10 || o.givenUp > 1 || slices.Max(o.delays) >= frame || !o.order {
		t.Errorf("%d played, %d lost, %d underruns, %d given up, delay %v", o.played, o.lost, o.underruns, o.givenUp, slices.Max(o.delays))
	}
	silent := New(Config{})
	silent.Push(1, 0, nil, 0)
	if due := silent.Pop(time.Second, false); due.Kind != Wait || due.Underrun {
		t.Errorf("%+v before any audio", due)
	}
}

// TestOtherClock: after a change of codec timestamps count at another rate.
func TestOtherClock(t *testing.T) {
	b := New(Config{})
	first := run(b, stream(50, 1), 5*time.Millisecond, 50)
	b.SetClock(48000)
	packets := stream(50, 51)
	for i := range packets {
		packets[i].stamp = uint32(i) * 960
	}
	second := run(b, packets, 5*time.Millisecond, 50)
	if first.played != 50 || second.played != 50 || second.concealed() != 0 {
		t.Errorf("%d and %d played, %d concealed", first.played, second.played, second.concealed())
	}
}

// TestRandomNetworks plays seeded networks with everything at once and holds the buffer to bounds.
func TestRandomNetworks(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		loss, spread := r.Float64()*0.1, time.Duration(r.IntN(40))*time.Millisecond
		var packets []packet
		sent := stream(1500, uint16(r.Uint32()))
		for _, p := range sent {
			if r.Float64() < loss {
				continue
			}
			p.arrives += time.Duration(r.Float64() * float64(spread))
			packets = append(packets, p)
			if r.Float64() < 0.02 {
				packets = append(packets, p)
			}
		}
		o := run(New(Config{}), packets, time.Duration(r.IntN(20))*time.Millisecond, 1520)
		late := o.verdicts[Late]
		if !o.order || float64(o.played) < float64(len(sent))*(1-loss)*0.95-20 || late > 60 || slices.Max(o.delays) > 220*time.Millisecond {
			t.Errorf("seed %d (loss %.2f, spread %v): %d played, %d lost, %d late, %d underruns, order %v, worst delay %v",
				seed, loss, spread, o.played, o.lost, late, o.underruns, o.order, slices.Max(o.delays))
		}
	}
}

func TestNothingIsAllocated(t *testing.T) {
	b := New(Config{})
	payload := make([]byte, 160)
	seq, now := uint16(0), time.Duration(0)
	if n := testing.AllocsPerRun(1000, func() {
		b.Push(seq, uint32(seq)*160, payload, now)
		b.Played(b.Pop(now, false).Kind, frame)
		seq++
		now += frame
	}); n != 0 {
		t.Errorf("%v allocations per packet", n)
	}
}

func FuzzPush(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 0, 160, 20, 0, 2, 0, 0, 1, 64, 20})
	f.Fuzz(func(t *testing.T, script []byte) {
		b := New(Config{PayloadMax: 4})
		now := time.Duration(0)
		for ; len(script) >= 7; script = script[7:] {
			seq := uint16(script[0])<<8 | uint16(script[1])
			stamp := uint32(script[2])<<24 | uint32(script[3])<<16 | uint32(script[4])<<8 | uint32(script[5])
			b.Push(seq, stamp, script[:script[6]%6], now)
			now += time.Duration(script[6]) * time.Millisecond
			due := b.Pop(now, script[6]&1 == 0)
			if due.Kind == Packet && len(due.Payload) > 4 {
				t.Fatal("payload longer than what was pushed")
			}
			b.Played(due.Kind, frame)
		}
	})
}
