// Views: where the elements of up to three operands of one shape lie. Axes that lie side by side were merged on the host.

template <int N> struct Walk {
    u64 elements;
    u32 dims;
    u32 dense; // every operand is row-major without holes: element i lies at i
    u32 sizes[8];
    u32 strides[N][8];
};

template <int N> DEVICE void locate(const Walk<N>& walk, u64 i, u64 (&at)[N]) {
    #pragma unroll
    for (int n = 0; n < N; n++) at[n] = walk.dense ? i : 0;
    if (walk.dense) return;
    if (walk.elements <= 0xffffffffull) {
        u32 rest = (u32)i;
        for (int axis = (int)walk.dims - 1; axis > 0; axis--) {
            u32 up = rest / walk.sizes[axis], here = rest - up * walk.sizes[axis];
            #pragma unroll
            for (int n = 0; n < N; n++) at[n] += (u64)here * walk.strides[n][axis];
            rest = up;
        }
        #pragma unroll
        for (int n = 0; n < N; n++) at[n] += (u64)rest * walk.strides[n][0];
    } else {
        u64 rest = i;
        for (int axis = (int)walk.dims - 1; axis > 0; axis--) {
            u64 up = rest / walk.sizes[axis], here = rest - up * walk.sizes[axis];
            #pragma unroll
            for (int n = 0; n < N; n++) at[n] += here * walk.strides[n][axis];
            rest = up;
        }
        #pragma unroll
        for (int n = 0; n < N; n++) at[n] += rest * walk.strides[n][0];
    }
}
