// Operations of one operand. Compiled in front of every file.

// In the order of hal's UnaryOp.
enum Unary : u32 { NEG, ABS, EXP, LOG, SQRT, TANH, RELU, ERF, GELU, GELU_TANH };

DEVICE float unary_of(u32 op, float x) {
    switch (op) {
        case NEG: return -x;
        case ABS: return fabsf(x);
        case EXP: return expf(x);
        case LOG: return logf(x);
        case SQRT: return __fsqrt_rn(x);
        case TANH: return tanhf(x);
        case ERF: return erff(x);
        case GELU: return 0.5f * x * (1.0f + erff(x * 0.707106781186547524f));
        // sqrt(2 / pi), and 0.044715 times it.
        case GELU_TANH: return 0.5f * x * (1.0f + tanhf(x * fmaf(x * x, 0.0356774081363001f, 0.797884560802865356f)));
        default: return x > 0.0f || x != x ? x : 0.0f;
    }
}
DEVICE double unary_of(u32 op, double x) {
    switch (op) {
        case NEG: return -x;
        case ABS: return fabs(x);
        case EXP: return exp(x);
        case LOG: return log(x);
        case SQRT: return __dsqrt_rn(x);
        case TANH: return tanh(x);
        case ERF: return erf(x);
        case GELU: return 0.5 * x * (1.0 + erf(x * 0.707106781186547524));
        case GELU_TANH: return 0.5 * x * (1.0 + tanh(x * fma(x * x, 0.0356774081363001, 0.797884560802865356)));
        default: return x > 0.0 || x != x ? x : 0.0;
    }
}
DEVICE i64 unary_of(u32 op, i64 x) {
    switch (op) {
        case NEG: return (i64)(0 - (u64)x);
        case ABS: return x < 0 ? (i64)(0 - (u64)x) : x;
        default: return x > 0 ? x : 0;
    }
}
