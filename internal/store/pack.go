package store

import (
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// maxUnpacked bounds what a stored body may unpack to: more than any body that
// is taken.
const maxUnpacked = 64 << 20

// A packer compresses bodies. It takes its memory when it is first used.
type packer struct {
	encoder func() (*zstd.Encoder, error)
	decoder func() (*zstd.Decoder, error)
}

// newPacker returns one that decompresses so many bodies at once; 0: as there
// are processors.
func newPacker(atOnce int) packer {
	return packer{
		encoder: sync.OnceValues(func() (*zstd.Encoder, error) {
			return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2),
				zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(256<<10))
		}),
		decoder: sync.OnceValues(func() (*zstd.Decoder, error) {
			return zstd.NewReader(nil, zstd.WithDecoderConcurrency(atOnce), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxUnpacked))
		}),
	}
}

func (p packer) pack(body []byte) ([]byte, error) {
	e, err := p.encoder()
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return e.EncodeAll(body, nil), nil
}

func (p packer) unpack(packed []byte) ([]byte, error) { return p.unpackInto(packed, nil) }

// unpackInto is unpack, into memory that is not needed any more.
func (p packer) unpackInto(packed, memory []byte) ([]byte, error) {
	d, err := p.decoder()
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	body, err := d.DecodeAll(packed, memory[:0])
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	return body, nil
}
