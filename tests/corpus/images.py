"""Image filters and the like, as people write them with NumPy."""
# mypy: ignore-errors

import numpy as np

from tests.corpus.case import case, made

IMAGE = made(8, 9, low=0.0, high=1.0)
COLOUR = made(6, 5, 3, low=0.05, high=0.95)


@case(IMAGE)
def box_blur(img):
    padded = np.pad(img, 1, mode="edge")
    out = np.zeros_like(img)
    for dy in range(3):
        for dx in range(3):
            out += padded[dy : dy + img.shape[0], dx : dx + img.shape[1]]
    out /= 9
    return out


@case(IMAGE)
def sobel(img):
    gx = np.zeros(img.shape)
    gy = np.zeros(img.shape)
    gx[1:-1, 1:-1] = (
        img[:-2, 2:] + 2 * img[1:-1, 2:] + img[2:, 2:]
        - img[:-2, :-2] - 2 * img[1:-1, :-2] - img[2:, :-2]
    )  # fmt: skip
    gy[1:-1, 1:-1] = (
        img[2:, :-2] + 2 * img[2:, 1:-1] + img[2:, 2:]
        - img[:-2, :-2] - 2 * img[:-2, 1:-1] - img[:-2, 2:]
    )  # fmt: skip
    return np.sqrt(gx**2 + gy**2 + 1e-6)


@case(IMAGE, made(3, 3))
def convolve2d(img, kernel):
    h, w = img.shape
    kh, kw = kernel.shape
    out = np.empty((h - kh + 1, w - kw + 1))
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = np.sum(img[i : i + kh, j : j + kw] * kernel)
    return out


@case(IMAGE, 0.5)
def threshold(img, t):
    out = img.copy()
    out[out < t] = 0.0
    return out


@case(IMAGE, 0.5, grad=False)
def binarise(img, t):
    out = np.zeros(img.shape, dtype=np.uint8)
    out[img >= t] = 255
    return out


@case(COLOUR)
def grayscale(img):
    return img @ np.array([0.299, 0.587, 0.114])


@case(COLOUR)
def sepia(img):
    m = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])
    out = img @ m.T
    np.clip(out, 0, 1, out=out)
    return out


@case(COLOUR, 2.2)
def gamma(img, g):
    out = np.empty_like(img)
    np.power(img, 1 / g, out=out)
    return out


@case(COLOUR)
def normalise_channels(img):
    out = img.copy()
    for c in range(3):
        channel = out[..., c]
        channel -= channel.mean()
        channel /= channel.std()
    return out


@case(COLOUR)
def swap_red_and_blue(img):
    out = img.copy()
    out[..., 0], out[..., 2] = img[..., 2], img[..., 0]
    return out


@case(IMAGE)
def flip_half(img):
    out = img.copy()
    half = img.shape[1] // 2
    out[:, :half] = out[:, -half:][:, ::-1]
    return out


@case(IMAGE)
def vignette(img):
    h, w = img.shape
    y, x = np.ogrid[:h, :w]
    d = np.sqrt((y - h / 2) ** 2 + (x - w / 2) ** 2)
    return img * np.exp(-d / max(h, w))


@case(IMAGE)
def circle_mask(img):
    h, w = img.shape
    y, x = np.mgrid[0:h, 0:w]
    mask = (y - 4) ** 2 + (x - 4) ** 2 < 9
    out = img.copy()
    out[~mask] = 0
    return out


@case(made(8, 9, seed=7))
def median_filter(img):
    stack = np.empty((9, img.shape[0] - 2, img.shape[1] - 2))
    k = 0
    for dy in range(3):
        for dx in range(3):
            stack[k] = img[dy : dy + stack.shape[1], dx : dx + stack.shape[2]]
            k += 1
    stack.sort(axis=0)
    return stack[4]


@case((IMAGE * 15).astype(int), grad=False)
def histogram_equalise(img):
    hist = np.zeros(16, dtype=int)
    np.add.at(hist, img.ravel(), 1)
    cdf = np.cumsum(hist)
    lut = np.zeros(16)
    lut[:] = (cdf - cdf[0]) / (img.size - cdf[0])
    return lut[img]


@case(IMAGE)
def downsample(img):
    h, w = img.shape[0] // 2 * 2, img.shape[1] // 2 * 2
    return img[:h, :w].reshape(h // 2, 2, w // 2, 2).mean(axis=(1, 3))


@case(IMAGE)
def upsample_bilinear(img):
    h, w = img.shape
    out = np.zeros((2 * h - 1, 2 * w - 1))
    out[::2, ::2] = img
    out[1::2, ::2] = 0.5 * (img[1:] + img[:-1])
    out[:, 1::2] = 0.5 * (out[:, :-2:2] + out[:, 2::2])
    return out


@case(IMAGE)
def integral_image(img):
    out = np.zeros((img.shape[0] + 1, img.shape[1] + 1))
    out[1:, 1:] = img
    np.cumsum(out, axis=0, out=out)
    np.cumsum(out, axis=1, out=out)
    return out


@case(IMAGE, 1.0)
def gaussian_blur(img, sigma):
    r = np.arange(-2, 3)
    k = np.exp(-(r**2) / (2 * sigma**2))
    k /= k.sum()
    out = np.zeros_like(img)
    padded = np.pad(img, ((2, 2), (0, 0)), mode="reflect")
    for i, w in enumerate(k):
        out += w * padded[i : i + img.shape[0]]
    rows = np.pad(out, ((0, 0), (2, 2)), mode="reflect")
    out[...] = 0
    for i, w in enumerate(k):
        out += w * rows[:, i : i + img.shape[1]]
    return out


@case(IMAGE, grad=False)
def erosion(img):
    b = img > 0.3
    out = b.copy()
    out[1:] &= b[:-1]
    out[:-1] &= b[1:]
    out[:, 1:] &= b[:, :-1]
    out[:, :-1] &= b[:, 1:]
    return out


@case(IMAGE, grad=False)
def floyd_steinberg(img):
    out = img.copy()
    h, w = out.shape
    for y in range(h):
        for x in range(w):
            old = out[y, x]
            new = np.round(old)
            out[y, x] = new
            err = old - new
            if x + 1 < w:
                out[y, x + 1] += err * 7 / 16
            if y + 1 < h:
                if x > 0:
                    out[y + 1, x - 1] += err * 3 / 16
                out[y + 1, x] += err * 5 / 16
                if x + 1 < w:
                    out[y + 1, x + 1] += err * 1 / 16
    return out


@case(COLOUR)
def rgb_to_hsv_value(img):
    hsv = np.zeros_like(img)
    hi, lo = img.max(axis=2), img.min(axis=2)
    hsv[:, :, 2] = hi
    hsv[:, :, 1] = np.where(hi > 0, (hi - lo) / hi, 0)
    return hsv


@case(COLOUR)
def saturate(img):
    out = img * 1.7
    out[out > 1] = 1
    return out


@case(IMAGE)
def laplacian_sharpen(img):
    lap = -4 * img
    lap[1:] += img[:-1]
    lap[:-1] += img[1:]
    lap[:, 1:] += img[:, :-1]
    lap[:, :-1] += img[:, 1:]
    return img - 0.5 * lap


@case(IMAGE)
def brighten_masked(img):
    out = img.copy()
    mask = img > 0.5
    out[mask] *= 1.5
    out[mask] += 0.1
    return out
