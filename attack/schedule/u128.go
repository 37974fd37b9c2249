package schedule

import "math/bits"

// u128 is an unsigned 128-bit integer: the integral of a rate of 10 million a
// second over 90 days, in units of 5e-16 of a request, takes 97 bits.
type u128 struct{ hi, lo uint64 }

func mul64(a, b uint64) u128 {
	hi, lo := bits.Mul64(a, b)
	return u128{hi, lo}
}

func (x u128) add(y u128) u128 {
	lo, carry := bits.Add64(x.lo, y.lo, 0)
	hi, _ := bits.Add64(x.hi, y.hi, carry)
	return u128{hi, lo}
}

// sub returns x-y; the caller knows that x >= y.
func (x u128) sub(y u128) u128 {
	lo, borrow := bits.Sub64(x.lo, y.lo, 0)
	hi, _ := bits.Sub64(x.hi, y.hi, borrow)
	return u128{hi, lo}
}

func (x u128) less(y u128) bool { return x.hi < y.hi || x.hi == y.hi && x.lo < y.lo }

// div returns the quotient and remainder of x/y; the caller knows that the
// quotient fits 64 bits.
func (x u128) div(y uint64) (quotient, remainder uint64) { return bits.Div64(x.hi, x.lo, y) }

func (x u128) float() float64 { return float64(x.hi)*(1<<64) + float64(x.lo) }
