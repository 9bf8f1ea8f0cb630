"""Picture files: what they hold comes out as it went in, whatever the format; what cannot be, is told."""

from __future__ import annotations

import io
import shutil
import subprocess
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
import tifffile
from command import invoke, leftovers
from PIL import Image, ImageCms, ImageSequence, PngImagePlugin

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/></x:xmpmeta>'
EXIFTOOL = shutil.which("exiftool")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, set_num_threads: object) -> Path:
    """A working folder; the command sets the number of threads, which is undone."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return Image.fromarray(skimage.data.coffee()[:90, :140])


@pytest.fixture(scope="module")
def profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif(orientation: int = 1) -> Image.Exif:
    """A camera's name, its settings, a place."""
    written = Image.Exif()
    written[0x010F], written[0x0110], written[0x0112] = "Maker", "Model 5", orientation
    written[0x8769] = {0x829A: 0.008, 0x8827: 400, 0x9003: "2026:11:24 12:00:00"}
    written[0x8825] = {1: "N", 2: (52.0, 30.0, 1.5)}
    loaded = Image.Exif()  # as from a file: Pillow writes no others into TIFF
    loaded.load(written.tobytes())
    return loaded


def pixels(path: str | Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


# --- metadata --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_profile_exif_and_xmp_are_kept(photo: Image.Image, profile: bytes, suffix: str) -> None:
    text = PngImagePlugin.PngInfo()  # how Pillow is told PNG's XMP
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    tags = exif()
    if suffix == "tif":
        tags[700] = XMP
    of_format = {"png": {"pnginfo": text}, "tif": {}}.get(suffix, {"xmp": XMP})
    photo.save(f"in.{suffix}", icc_profile=profile, exif=tags, **of_format)
    invoke("warp", f"in.{suffix}", "-o", f"out.{suffix}", "--rotate", 3)
    with Image.open(f"out.{suffix}") as out:
        assert out.info["icc_profile"] == profile
        xmp = out.info.get("xmp") or out.info.get("XML:com.adobe.xmp")
        assert (xmp if isinstance(xmp, bytes) else xmp.encode()).rstrip(b"\0" if suffix == "tif" else b"") == XMP
        with Image.open(f"in.{suffix}") as given:
            assert everything(out.getexif()) == everything(given.getexif())
            assert len(everything(given.getexif())) == 7


def test_png_keeps_xmp_of_any_length(photo: Image.Image) -> None:
    for length in range(40):
        written = PngImagePlugin.PngInfo()
        written.add_itxt("XML:com.adobe.xmp", XMP.decode() + length * " ")
        photo.save(f"in-{length}.png", pnginfo=written)
    invoke("warp", *(f"in-{length}.png" for length in range(40)), "-o", "out", "--rotate", 3)
    for length in range(40):
        with Image.open(f"out/in-{length}.png") as out:
            xmp = out.info.get("xmp") or out.info["XML:com.adobe.xmp"]
            assert (xmp if isinstance(xmp, bytes) else xmp.encode()) == XMP + length * b" "


def everything(found: Image.Exif) -> dict[int, object]:
    """The tags of all directories that describe the picture."""
    tags = {tag: found[tag] for tag in (0x010F, 0x0110)}
    return tags | dict(found.get_ifd(0x8769)) | dict(found.get_ifd(0x8825))


@pytest.mark.skipif(EXIFTOOL is None, reason="compares by exiftool")
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_exiftool_sees_the_same_metadata(photo: Image.Image, profile: bytes, suffix: str) -> None:
    photo.save(f"in.{suffix}", icc_profile=profile, exif=exif())
    invoke("warp", f"in.{suffix}", "-o", f"out.{suffix}", "--rotate", 3)
    seen = []
    for name in (f"in.{suffix}", f"out.{suffix}"):
        groups = ["-ExifIFD:all", "-GPS:all", "-IFD0:Make", "-IFD0:Model", "-ICC_Profile:all"]
        command = [str(EXIFTOOL), "-a", "-G1", "-s", *groups, name]
        seen.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert "ExposureTime" in seen[0]
    assert "ProfileVersion" in seen[0]
    assert seen[0] == seen[1]


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_orientations_come_out_upright(suffix: str, orientation: int) -> None:
    stored = np.zeros((32, 48, 3), np.uint8)
    stored[:16, :16] = 255
    Image.fromarray(stored).save(f"in.{suffix}", exif=exif(orientation), **({"lossless": True} if suffix == "webp" else {}))
    invoke("warp", f"in.{suffix}", "-o", "out.png")
    white = np.argwhere(pixels("out.png")[..., 0] > 128)
    corner = {1: (0, 0), 2: (0, 1), 3: (1, 1), 4: (1, 0), 5: (0, 0), 6: (0, 1), 7: (1, 1), 8: (1, 0)}[orientation]
    shape = (48, 32) if orientation > 4 else (32, 48)
    assert pixels("out.png").shape[:2] == shape
    top, left = corner[0] * (shape[0] - 16), corner[1] * (shape[1] - 16)
    assert (white.min(axis=0) == (top, left)).all()
    with Image.open("out.png") as out:
        assert out.getexif().get(0x0112, 1) == 1


def test_profiles_beyond_64_kib_are_kept(photo: Image.Image) -> None:
    large = bytes(range(256)) * 600
    photo.save("in.jpg", icc_profile=large)
    invoke("warp", "in.jpg", "-o", "out.jpg", "--rotate", 3)
    with Image.open("out.jpg") as out:
        assert out.info["icc_profile"] == large


def test_formats_without_metadata_say_so(photo: Image.Image, profile: bytes) -> None:
    photo.save("in.png", icc_profile=profile)
    assert ".bmp holds no metadata" in invoke("warp", "in.png", "-o", "out.bmp").stderr


# --- pixels ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA", "1"])
def test_png_of_every_colour_mode(photo: Image.Image, mode: str) -> None:
    photo.convert(mode).save("in.png")
    invoke("warp", "in.png", "-o", "out.png", "--rotate", 180)
    expected = photo.convert(mode).convert({"P": "RGB", "LA": "RGBA", "1": "L"}.get(mode, mode))
    assert np.array_equal(pixels("out.png"), np.asarray(expected)[::-1, ::-1])


def test_a_palette_with_transparency_becomes_rgba(photo: Image.Image) -> None:
    palette = photo.convert("P")
    palette.save("in.png", transparency=palette.getpixel((5, 5)))
    invoke("warp", "in.png", "-o", "out.png", "--rotate", 180)
    assert pixels("out.png").shape[2] == 4
    assert pixels("out.png")[-6, -6, 3] == 0


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_cmyk_becomes_rgb_and_is_said(photo: Image.Image, profile: bytes, suffix: str) -> None:
    photo.convert("CMYK").save(f"in.{suffix}", icc_profile=profile)
    assert "CMYK converted to RGB" in invoke("warp", f"in.{suffix}", "-o", "out.png").stderr
    assert np.abs(pixels("out.png").astype(int) - np.asarray(photo)).mean() < 3
    with Image.open("out.png") as out:
        assert "icc_profile" not in out.info


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_tiff_pages_of_every_kind(dtype: str, channels: int) -> None:
    pages = (np.random.default_rng(channels).random((2, 20, 30, channels)) * 250).astype(dtype).squeeze()
    photometric = "rgb" if channels > 2 else "minisblack"
    with tifffile.TiffWriter("in.tif") as writer:
        for page in pages:
            extra = ["unassalpha"] if channels in (2, 4) else None
            planar = "contig" if channels > 1 else None
            writer.write(page, photometric=photometric, planarconfig=planar, extrasamples=extra, metadata=None)
    invoke("warp", "in.tif", "-o", "out.tif", "--rotate", 180, "--interpolation", "nearest")
    out = tifffile.TiffFile("out.tif")
    with out:
        assert len(out.pages) == 2
        for page, expected in zip(out.pages, pages, strict=True):
            assert page.dtype == dtype
            assert np.array_equal(page.asarray(), expected[::-1, ::-1])


def test_pages_may_differ_in_size_and_depth() -> None:
    pages = [np.full((20, 30), 7, np.uint8), np.full((10, 15, 3), 70, np.uint16)]
    with tifffile.TiffWriter("in.tif") as writer:
        for page in pages:
            writer.write(page, photometric="rgb" if page.ndim == 3 else "minisblack", metadata=None)
    invoke("warp", "in.tif", "-o", "out.tif", "--rotate", 180)
    with tifffile.TiffFile("out.tif") as out:
        assert all(np.array_equal(page.asarray(), expected) for page, expected in zip(out.pages, pages, strict=True))


@pytest.mark.parametrize("source", ["jpg", "png", "tif"])
@pytest.mark.parametrize("target", ["jpg", "png", "tif"])
def test_the_resolution_is_kept(photo: Image.Image, source: str, target: str) -> None:
    photo.save(f"in.{source}", dpi=(300, 240))
    invoke("warp", f"in.{source}", "-o", f"out.{target}", "--rotate", 5)
    with Image.open(f"out.{target}") as out:
        assert np.allclose(np.array(out.info["dpi"], float), (300, 240), atol=0.02)


@pytest.mark.parametrize("bits", [2, 8, 16])
def test_a_grey_that_png_hides_stays_hidden(bits: int) -> None:
    greys = (np.arange(4)[None].repeat(3, axis=0) * (2**bits - 1) // 3).astype(np.uint16)  # 0 to white
    hidden = greys[0, 2]
    rows = b"".join(b"\0" + (bytes([0b00011011]) if bits == 2 else row.astype(f">u{bits // 8}").tobytes()) for row in greys)
    Path("in.png").write_bytes(png(4, 3, bits, 0, zlib.compress(rows), tRNS=int(hidden).to_bytes(2, "big")))
    invoke("warp", "in.png", "-o", "out.png")
    out = cv2.imread("out.png", cv2.IMREAD_UNCHANGED)
    assert np.array_equal(out[..., 3] == 0, greys == hidden)
    assert np.array_equal(out[:, [0, 1, 3], 0], out[:, [0, 1, 3], 3] * (greys[:, [0, 1, 3]] / (2**bits - 1)))


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
@pytest.mark.parametrize("transparent", [False, True])
def test_animations_frame_by_frame(photo: Image.Image, suffix: str, transparent: bool) -> None:
    frames = [photo.rotate(20 * n).convert("RGBA") for n in range(4)]
    if transparent:
        for n, frame in enumerate(frames):
            frame.paste((0, 0, 0, 0), (0, 0, 20 + n, 20))
    lossless = {"lossless": True} if suffix == "webp" else {}
    options = {"duration": [40, 80, 120, 160], "loop": 3, **lossless} | ({"disposal": 2} if suffix == "gif" else {})
    frames[0].save(f"in.{suffix}", save_all=True, append_images=frames[1:], **options)
    invoke("warp", f"in.{suffix}", "-o", "out.png", "--rotate", 180)
    with Image.open(f"in.{suffix}") as image, Image.open("out.png") as out:
        assert out.n_frames == 4
        for expected, frame in zip(ImageSequence.Iterator(image), ImageSequence.Iterator(out), strict=True):
            turned = np.asarray(expected.convert("RGBA"))[::-1, ::-1].copy()
            got = np.asarray(frame.convert("RGBA")).copy()
            assert np.array_equal(got[..., 3], turned[..., 3])
            seen = turned[..., 3] > 0
            assert np.array_equal(got[seen], turned[seen])
        assert out.info["loop"] == 3


def test_animation_formats_keep_time(photo: Image.Image) -> None:
    frames = [photo.rotate(20 * n) for n in range(3)]
    frames[0].save("in.gif", save_all=True, append_images=frames[1:], duration=[40, 80, 120], loop=0)
    for suffix in ("gif", "webp", "png"):
        invoke("warp", "in.gif", "-o", f"out.{suffix}", "--rotate", 3)
        with Image.open(f"out.{suffix}") as out:
            assert out.n_frames == 3
            durations = []
            for frame in ImageSequence.Iterator(out):
                frame.load()
                durations.append(round(frame.info["duration"]))
            assert durations == [40, 80, 120]
            assert out.info["loop"] == 0


def test_animations_keep_metadata_and_play_as_often(photo: Image.Image, profile: bytes) -> None:
    frames = [photo.rotate(20 * n) for n in range(3)]
    others = {"save_all": True, "append_images": frames[1:], "duration": 50, "icc_profile": profile}
    frames[0].save("in.webp", loop=1, exif=exif(6), xmp=XMP, **others)
    frames[0].save("once.gif", save_all=True, append_images=frames[1:], duration=50)
    invoke("warp", "in.webp", "-o", "out.webp", "--quality", 80)
    with Image.open("out.webp") as out:
        assert (out.n_frames, out.size, out.info["loop"]) == (3, photo.size[::-1], 1)
        assert out.info["icc_profile"] == profile
        assert out.info["xmp"] == XMP
        assert everything(out.getexif()) == everything(exif())
        assert out.getexif()[0x0112] == 1
    invoke("warp", "once.gif", "-o", "out.gif")
    invoke("warp", "once.gif", "-o", "out.png")
    with Image.open("out.gif") as gif, Image.open("out.png") as png:
        assert "loop" not in gif.info
        assert png.info["loop"] == 1


def test_frames_of_16_bits_need_tiff() -> None:
    tifffile.imwrite("in.tif", np.zeros((2, 20, 30), np.uint16), photometric="minisblack")
    assert "an animated .png holds 8 bits, got uint16; try .tif" in invoke("warp", "in.tif", "-o", "out.png", code=1).stderr
    tifffile.imwrite("grey.tif", np.zeros((2, 20, 30), np.uint8), photometric="minisblack")
    invoke("warp", "grey.tif", "-o", "out.gif")
    with Image.open("out.gif") as out:
        assert out.size == (30, 20)


@pytest.mark.parametrize("exif_bytes", [b"", b"MM", b"XX\0*\0\0\0\x08", b"MM\0*\0\0\0\x08\0\x05", b"II*\0\xff\xff\xff\xff"])
def test_exif_that_says_nothing_is_upright(photo: Image.Image, exif_bytes: bytes) -> None:
    photo.save("in.png", exif=exif_bytes)
    invoke("warp", "in.png", "-o", "out.png")
    assert np.array_equal(pixels("out.png"), np.asarray(photo))


def test_profiles_that_png_refuses_are_told(photo: Image.Image) -> None:
    photo.save("in.jpg", icc_profile=bytes(200))
    assert "its ICC profile may be damaged" in invoke("warp", "in.jpg", "-o", "out.png", code=1).stderr


def test_several_frames_need_a_format_for_them(photo: Image.Image) -> None:
    photo.save("in.gif", save_all=True, append_images=[photo.rotate(9)])
    assert "holds one picture, got 2 frames" in invoke("warp", "in.gif", "-o", "out.jpg", code=1).stderr


def test_avif_where_opencv_has_it(photo: Image.Image) -> None:
    if not cv2.haveImageWriter("x.avif"):
        pytest.skip("this build of OpenCV writes no AVIF")
    photo.save("in.png", exif=exif())
    invoke("warp", "in.png", "-o", "out.avif", "--quality", 90)
    invoke("warp", "out.avif", "-o", "back.png")
    assert np.abs(pixels("back.png").astype(int) - np.asarray(photo)).mean() < 4


def test_exr_where_opencv_has_it() -> None:
    tifffile.imwrite("in.tif", np.linspace(0, 5, 600, dtype=np.float32).reshape(20, 30))
    if cv2.haveImageWriter("x.exr"):
        invoke("warp", "in.tif", "-o", "out.exr")
        invoke("warp", "out.exr", "-o", "back.tif")
        assert np.array_equal(tifffile.imread("back.tif"), tifffile.imread("in.tif"))
    else:
        assert "cannot be encoded as .exr" in invoke("warp", "in.tif", "-o", "out.exr", code=1).stderr
        Path("in.exr").write_bytes(b"\x76\x2f\x31\x01" + bytes(100))
        assert "failed: in.exr" in invoke("warp", "in.exr", "-o", "out.tif", code=1).stderr


def test_quality_is_heeded(photo: Image.Image) -> None:
    photo.save("in.png")
    for suffix in ("jpg", "webp"):
        sizes = []
        for quality in (10, 90):
            invoke("warp", "in.png", "-o", f"out.{suffix}", "--quality", quality, "--overwrite")
            sizes.append(Path(f"out.{suffix}").stat().st_size)
        assert sizes[0] < sizes[1] / 2


@pytest.mark.parametrize("frames", [1, 2])
def test_without_quality_little_or_nothing_is_lost(photo: Image.Image, frames: int) -> None:
    photo.save("in.png", save_all=True, append_images=[photo.rotate(9)] * (frames - 1))
    for suffix, options in (("webp", []), ("avif", []), ("avif95.avif", ["--quality", 95])):
        invoke("warp", "in.png", "-o", f"out.{suffix}", *options)
    assert np.array_equal(pixels("out.webp")[..., :3], np.asarray(photo))
    assert Path("out.avif").stat().st_size == Path("out.avif95.avif").stat().st_size  # animations have the time in them


@pytest.mark.parametrize(
    ("name", "dtype", "message"),
    [
        ("out.bmp", np.uint16, ".bmp cannot hold uint16"),
        ("out.webp", np.uint16, ".webp cannot hold uint16"),
        ("out.png", np.float32, ".png cannot hold float32"),
        ("out.gif", np.uint16, "holds 8 bits, got uint16"),
        ("out.png", np.float64, ".png cannot hold float64"),
    ],
)
def test_formats_that_cannot_hold_the_pixels_are_refused(name: str, dtype: type, message: str) -> None:
    tifffile.imwrite("in.tif", np.zeros((20, 30), dtype))
    assert message in invoke("warp", "in.tif", "-o", name, code=1).stderr


def test_formats_that_cannot_hold_the_channels_are_refused() -> None:
    tifffile.imwrite("in.tif", np.zeros((20, 30, 2), np.uint8), photometric="minisblack", planarconfig="contig")
    assert ".png cannot hold 2 channels; try .tif" in invoke("warp", "in.tif", "-o", "out.png", code=1).stderr


@pytest.mark.parametrize(("suffix", "longest"), [("jpg", 65500), ("webp", 16383)])
def test_sides_that_formats_cannot_hold_are_told(suffix: str, longest: int) -> None:
    cv2.imwrite("in.png", np.zeros((1, longest), np.uint8))
    invoke("warp", "in.png", "-o", f"out.{suffix}")
    done = invoke("warp", "in.png", "-o", f"more.{suffix}", "--size", f"{longest + 1}x2", code=1)
    assert f".{suffix} holds at most {longest} pixels a side, got {longest + 1} x 2; try .png" in done.stderr


# --- bad files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "gif", "bmp", "jp2"])
def test_files_cut_anywhere_fail_by_name(photo: Image.Image, suffix: str) -> None:
    photo.save(f"whole.{suffix}")
    whole = Path(f"whole.{suffix}").read_bytes()
    Path("in").mkdir()
    for kept in (1, 3, 10, 40, 200, len(whole) // 2, len(whole) * 9 // 10):
        Path(f"in/{kept}.{suffix}").write_bytes(whole[:kept])
    done = invoke("warp", "in", "-o", "out", "--rotate", 3, code=1)
    for path in Path("in").iterdir():
        assert f"failed: {path}: " in done.stderr
    assert not any(path.is_file() for path in Path("out").rglob("*"))
    assert not leftovers(Path())


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "gif", "bmp", "jp2", "avif"])
def test_files_of_random_bytes_fail_by_name(photo: Image.Image, suffix: str) -> None:
    """Noise alone, and after a whole file's first bytes, which reach deeper into the readers."""
    whole = io.BytesIO()
    photo.save(whole, {"jpg": "jpeg", "tif": "tiff", "jp2": "jpeg2000"}.get(suffix, suffix))
    random = np.random.default_rng(0)
    for n, kept in enumerate((0, 4, 12, 30)):
        Path(f"noise{n}.{suffix}").write_bytes(whole.getvalue()[:kept] + random.bytes(2000))
    done = invoke("warp", f"noise*.{suffix}", "-o", "out", code=1)
    assert [f"failed: noise{n}.{suffix}: " in done.stderr for n in range(4)] == [True] * 4, done.stderr
    assert not list(Path().rglob("out/*"))


def test_names_that_lie_are_told(photo: Image.Image) -> None:
    photo.save("really.png")
    Path("really.png").rename("not.jpg")
    assert "is named .jpg but holds PNG" in invoke("warp", "not.jpg", "-o", "out.png", code=1).stderr


def test_files_without_a_suffix_go_by_what_they_hold(photo: Image.Image) -> None:
    photo.save("photo.png")
    Path("photo.png").rename("photo")
    invoke("warp", "photo", "-o", "out.png")
    assert np.array_equal(pixels("out.png"), np.asarray(photo))


def png(width: int, height: int, bits: int, colours: int, data: bytes, **others: bytes) -> bytes:
    """A PNG file of these compressed rows, with other chunks ahead of them."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([bits, colours, 0, 0, 0])
    chunks = {"IHDR": header, **others, "IDAT": data, "IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind.encode(), data) for kind, data in chunks.items())


def test_bombs_are_refused_by_a_limit_that_can_be_set(photo: Image.Image) -> None:
    Path("bomb.png").write_bytes(png(60_000, 60_000, 8, 2, zlib.compress(bytes(1000))))
    assert "has 3600000000 pixels, more than --max-pixels" in invoke("warp", "bomb.png", "-o", "out.png", code=1).stderr
    photo.save("in.png")
    photo.save("in.tif")
    photo.save("in.gif", save_all=True, append_images=[photo.rotate(9)])
    one = photo.width * photo.height
    for suffix, pixel_count in (("png", one), ("tif", one), ("gif", 2 * one)):
        options = ["warp", f"in.{suffix}", "-o", f"out.{suffix}", "--max-pixels"]
        assert "more than --max-pixels" in invoke(*options, pixel_count - 1, code=1).stderr
        invoke(*options, pixel_count)


def test_canvases_have_the_same_limit(photo: Image.Image) -> None:
    photo.save("in.png")
    done = invoke("warp", "in.png", "-o", "out.png", "--scale", 1000, "--size", "fit", code=1)
    assert "more than --max-pixels" in done.stderr


def test_a_bad_jpeg_segment_is_too_large(photo: Image.Image) -> None:
    text = io.BytesIO()
    photo.save(text, "PNG", exif=b"MM\0*\0\0\0\x08\0\0" + bytes(70_000))
    Path("in.png").write_bytes(text.getvalue())
    assert "at most 64 KiB" in invoke("warp", "in.png", "-o", "out.jpg", code=1).stderr
