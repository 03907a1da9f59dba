"""Tensors to and from numpy (and jax or torch where they are installed), without a copy, over the C library in lib.rs."""

import ctypes
import sys
import threading

import numpy

library = ctypes.CDLL(sys.argv[1])
pointer, size = ctypes.c_void_p, ctypes.c_size_t
for name, result, arguments in [
    ("ms_make", pointer, [size, size]), ("ms_make_unversioned", pointer, [size, size]),
    ("ms_sum", ctypes.c_double, [pointer]), ("ms_sum_unversioned", ctypes.c_double, [pointer]),
    ("ms_live_bytes", size, []), ("ms_imports", size, []),
]:
    getattr(library, name).restype, getattr(library, name).argtypes = result, arguments

python = ctypes.pythonapi
DESTRUCTOR = ctypes.CFUNCTYPE(None, pointer)
for name, result, arguments in [
    ("PyCapsule_New", ctypes.py_object, [pointer, ctypes.c_char_p, DESTRUCTOR]),
    ("PyCapsule_IsValid", ctypes.c_int, [ctypes.py_object, ctypes.c_char_p]),
    ("PyCapsule_GetPointer", pointer, [ctypes.py_object, ctypes.c_char_p]),
    ("PyCapsule_SetName", ctypes.c_int, [ctypes.py_object, ctypes.c_char_p]),
]:
    getattr(python, name).restype, getattr(python, name).argtypes = result, arguments


class Ours:
    """What numpy.from_dlpack and its like ask for. Every capsule here is consumed, so none needs a destructor."""

    def __init__(self, rows, columns, old=False):
        self.rows, self.columns, self.old = rows, columns, old

    def __dlpack_device__(self):
        return (1, 0)

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        if self.old or max_version is None:
            return python.PyCapsule_New(library.ms_make_unversioned(self.rows, self.columns), b"dltensor", DESTRUCTOR())
        return python.PyCapsule_New(library.ms_make(self.rows, self.columns), b"dltensor_versioned", DESTRUCTOR())


def give(theirs):
    """The sum of another library's array, computed by millstream where it lies."""
    try:
        capsule = theirs.__dlpack__(max_version=(1, 1))
    except TypeError:
        capsule = theirs.__dlpack__()
    for name, function in [(b"dltensor_versioned", library.ms_sum), (b"dltensor", library.ms_sum_unversioned)]:
        if python.PyCapsule_IsValid(capsule, name):
            raw = python.PyCapsule_GetPointer(capsule, name)
            NAMES.append(ctypes.c_char_p(b"used_" + name))  # the capsule keeps the pointer, not the text
            python.PyCapsule_SetName(capsule, NAMES[-1])
            return function(raw)
    raise TypeError(repr(capsule))


NAMES = []
expected = numpy.arange(12, dtype=numpy.float32).reshape(3, 4).T

print("numpy", numpy.__version__)
view = numpy.from_dlpack(Ours(3, 4))
assert (view == expected).all() and view.strides == expected.strides
print(f"  from millstream: shape {view.shape}, strides {view.strides}, writable {view.flags.writeable}, {library.ms_live_bytes()} bytes live")
copy = numpy.from_dlpack(Ours(3, 4, old=True))
assert (copy == expected).all()
print(f"  from millstream, old form: a copy, strides {copy.strides}, {library.ms_live_bytes()} bytes live")
thread = threading.Thread(target=lambda held: held.pop(), args=([view],))
del view
thread.start(); thread.join(); del thread, copy
print(f"  dropped, one on another thread: {library.ms_live_bytes()} bytes live")
for dtype in ["float16", "float32", "float64", "int64", "uint8", "bool"]:
    array = (numpy.arange(24).reshape(4, 6)[1:, ::2] % 2).astype(dtype)
    strided = numpy.asfortranarray(array)
    assert give(array) == give(strided) == array.sum(), dtype
print("  to millstream: every type both know, row-major and column-major: the sums agree")
assert numpy.isnan(give(numpy.arange(4.0)[::-1])) and numpy.isnan(give(numpy.arange(4, dtype="int16")))
del array, strided
print(f"  imports left: {library.ms_imports()}")

for name in ["jax", "torch"]:
    try:
        module = __import__(name)
    except ImportError:
        print(name, "is not installed here")
        continue
    print(name, module.__version__)
    there = module.dlpack.from_dlpack(Ours(3, 4)) if name == "jax" else module.from_dlpack(Ours(3, 4))
    assert (numpy.asarray(there) == expected).all()
    print(f"  from millstream: shape {tuple(there.shape)}, {library.ms_live_bytes()} bytes live")
    theirs = module.numpy.ones((5, 7)) if name == "jax" else module.ones(5, 7).bfloat16().T
    assert give(theirs) == 35.0
    del there, theirs
    import gc; gc.collect()
    print(f"  dropped: {library.ms_live_bytes()} bytes live, imports left: {library.ms_imports()}")
