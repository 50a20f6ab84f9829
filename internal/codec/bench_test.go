package codec_test

import (
	"fmt"
	"testing"

	"parley/internal/codec"
)

func BenchmarkEncode(b *testing.B) {
	for _, o := range everything() {
		b.Run(fmt.Sprintf("%s-%d", o.format.Name, o.rate), func(b *testing.B) {
			e, _ := pair(b, o.format, o.rate)
			benchmarkEncode(b, e, o.rate)
		})
	}
	b.Run("opus-48000-lossy", func(b *testing.B) {
		e, _ := pair(b, format(b, "opus"), 48000)
		e.(*codec.OpusEncoder).SetPacketLoss(5)
		benchmarkEncode(b, e, 48000)
	})
}

func benchmarkEncode(b *testing.B, e codec.Encoder, rate int) {
	pcm := speech(rate, rate)
	payload := make([]byte, codec.MaxPayload)
	b.ReportAllocs()
	at := 0
	for b.Loop() {
		if _, err := e.Encode(payload, pcm[at:at+rate/50]); err != nil {
			b.Fatal(err)
		}
		at = (at + rate/50) % rate
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, o := range everything() {
		b.Run(fmt.Sprintf("%s-%d", o.format.Name, o.rate), func(b *testing.B) {
			e, d := pair(b, o.format, o.rate)
			packets := encodeAll(b, e, speech(o.rate, o.rate), o.rate)
			pcm := make([]int16, o.rate*120/1000)
			b.ReportAllocs()
			at := 0
			for b.Loop() {
				if _, err := d.Decode(pcm, packets[at]); err != nil {
					b.Fatal(err)
				}
				at = (at + 1) % len(packets)
			}
		})
	}
}

func BenchmarkConcealOneInTwo(b *testing.B) {
	for _, name := range []string{"PCMU", "G722", "opus"} {
		b.Run(name, func(b *testing.B) {
			f := format(b, name)
			e, d := pair(b, f, f.SampleRate)
			packets := encodeAll(b, e, speech(f.SampleRate, f.SampleRate), f.SampleRate)
			pcm := make([]int16, f.SampleRate*120/1000)
			at := 0
			for b.Loop() {
				_, _ = d.Decode(pcm, packets[at])
				d.Conceal(pcm[:f.SampleRate/50])
				at = (at + 2) % len(packets)
			}
		})
	}
}

func BenchmarkSilent(b *testing.B) {
	payload := make([]byte, 160)
	for i := range payload {
		payload[i] = 0xff
	}
	f := format(b, "PCMU")
	for b.Loop() {
		if !codec.Silent(f, payload) {
			b.Fatal("not silent")
		}
	}
}
