package fill

import (
	"encoding/binary"
	"hash/fnv"
	"math/bits"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/brianvoe/gofakeit/v7"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles/data"
)

// generator returns what makes the values of a reference.
func generator(ref data.Ref) (appender, error) {
	args, err := data.ParseArgs(ref)
	if err != nil {
		return nil, err
	}
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(ref.String())) // a hash takes everything
	g := &made{salt: hash.Sum64(), args: args}
	if ref.Source == "fake" {
		return fake{g.salt, fakes[ref.Name]}, nil
	}
	g.append1 = makers[ref.Source+"."+ref.Name]
	return g, nil
}

// made is a value that a function makes of a random state and arguments.
type made struct {
	salt    uint64
	args    data.Args
	append1 func(b []byte, s stream, a *data.Args, v values) []byte
}

func (g *made) append(b []byte, v values) []byte {
	s := newStream(v, g.salt)
	return g.append1(b, s, &g.args, v)
}

// stream is a sequence of random numbers (splitmix64: G. Steele, D. Lea, C. Flood, Fast
// Splittable Pseudorandom Number Generators, OOPSLA 2014). It begins with what a value
// follows from, and costs nothing to begin.
type stream uint64

func newStream(v values, salt uint64) stream { return newStreamOf(v.run, v.a.Request, salt) }

func newStreamOf(run attack.RunID, request, salt uint64) stream {
	s := stream(binary.LittleEndian.Uint64(run[:]) ^ salt)
	s = stream(s.next() ^ request)
	return stream(s.next())
}

func (s *stream) next() uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns a number below n, each as likely but for 2^-64 of n.
func (s *stream) below(n uint64) uint64 {
	high, _ := bits.Mul64(s.next(), n)
	return high
}

// RandomRow returns the row of a table of n rows that a request of a run gets.
func RandomRow(run attack.RunID, request uint64, table string, n int) int {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(table))
	s := newStreamOf(run, request, hash.Sum64())
	return int(s.below(uint64(n)))
}

const lowerHex = "0123456789abcdef"

// makers make values, by the names of package data.
var makers = map[string]func(b []byte, s stream, a *data.Args, v values) []byte{
	"random.uuid": func(b []byte, s stream, _ *data.Args, _ values) []byte {
		var id [16]byte
		binary.BigEndian.PutUint64(id[:8], s.next())
		binary.BigEndian.PutUint64(id[8:], s.next())
		id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // version 4, variant 1 (RFC 9562)
		for i, c := range id {
			if i == 4 || i == 6 || i == 8 || i == 10 {
				b = append(b, '-')
			}
			b = append(b, lowerHex[c>>4], lowerHex[c&15])
		}
		return b
	},
	"random.int": func(b []byte, s stream, a *data.Args, _ values) []byte {
		return strconv.AppendInt(b, a.From+int64(s.below(uint64(a.To-a.From)+1)), 10)
	},
	"random.hex":     letters(lowerHex),
	"random.letters": letters("abcdefghijklmnopqrstuvwxyz"),
	"random.digits":  letters("0123456789"),
	"random.of": func(b []byte, s stream, a *data.Args, _ values) []byte {
		return append(b, a.Words[s.below(uint64(len(a.Words)))]...)
	},
	"time.unix": func(b []byte, _ stream, a *data.Args, v values) []byte {
		return strconv.AppendInt(b, v.now.Add(a.Shift).Unix(), 10)
	},
	"time.ms": func(b []byte, _ stream, a *data.Args, v values) []byte {
		return strconv.AppendInt(b, v.now.Add(a.Shift).UnixMilli(), 10)
	},
	"time.rfc3339": func(b []byte, _ stream, a *data.Args, v values) []byte {
		return v.now.Add(a.Shift).UTC().AppendFormat(b, time.RFC3339)
	},
	"time.date": func(b []byte, _ stream, a *data.Args, v values) []byte {
		return v.now.Add(a.Shift).UTC().AppendFormat(b, time.DateOnly)
	},
	"request.number": func(b []byte, _ stream, _ *data.Args, v values) []byte {
		return strconv.AppendUint(b, v.a.Request, 10)
	},
	"request.id": func(b []byte, _ stream, _ *data.Args, v values) []byte {
		return v.run.AppendTransactionID(b, v.a.Request)
	},
}

// letters makes values of so many letters of an alphabet.
func letters(alphabet string) func([]byte, stream, *data.Args, values) []byte {
	return func(b []byte, s stream, a *data.Args, _ values) []byte {
		for range a.N {
			b = append(b, alphabet[s.below(uint64(len(alphabet)))])
		}
		return b
	}
}

// fake is a made-up name, address and the like, by gofakeit.
type fake struct {
	salt uint64
	make func(*gofakeit.Faker) string
}

// faker is a Faker whose random numbers can begin anew.
type faker struct {
	*gofakeit.Faker
	source *rand.PCG
}

var fakers = sync.Pool{New: func() any {
	source := rand.NewPCG(0, 0)
	return &faker{gofakeit.NewFaker(source, false), source}
}}

func (f fake) append(b []byte, v values) []byte {
	s := newStream(v, f.salt)
	with := fakers.Get().(*faker)
	with.source.Seed(s.next(), s.next())
	b = append(b, f.make(with.Faker)...)
	fakers.Put(with)
	return b
}

// fakes are the made-up values, by the names of package data.
var fakes = map[string]func(*gofakeit.Faker) string{
	"name":        (*gofakeit.Faker).Name,
	"first-name":  (*gofakeit.Faker).FirstName,
	"last-name":   (*gofakeit.Faker).LastName,
	"username":    (*gofakeit.Faker).Username,
	"password":    func(f *gofakeit.Faker) string { return f.Password(true, true, true, false, false, 12) },
	"email":       (*gofakeit.Faker).Email,
	"phone":       (*gofakeit.Faker).Phone,
	"company":     (*gofakeit.Faker).Company,
	"job":         (*gofakeit.Faker).JobTitle,
	"street":      (*gofakeit.Faker).Street,
	"city":        (*gofakeit.Faker).City,
	"zip":         (*gofakeit.Faker).Zip,
	"state":       (*gofakeit.Faker).State,
	"country":     (*gofakeit.Faker).Country,
	"latitude":    func(f *gofakeit.Faker) string { return strconv.FormatFloat(f.Latitude(), 'f', 5, 64) },
	"longitude":   func(f *gofakeit.Faker) string { return strconv.FormatFloat(f.Longitude(), 'f', 5, 64) },
	"word":        (*gofakeit.Faker).Word,
	"sentence":    func(f *gofakeit.Faker) string { return f.Sentence(8) },
	"product":     (*gofakeit.Faker).ProductName,
	"price":       func(f *gofakeit.Faker) string { return strconv.FormatFloat(f.Price(1, 1000), 'f', 2, 64) },
	"color":       (*gofakeit.Faker).Color,
	"ipv4":        (*gofakeit.Faker).IPv4Address,
	"user-agent":  (*gofakeit.Faker).UserAgent,
	"card-number": func(f *gofakeit.Faker) string { return f.CreditCardNumber(nil) },
	"birthday":    func(f *gofakeit.Faker) string { return f.Date().Format(time.DateOnly) },
}
