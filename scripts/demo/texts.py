"""What customers write: Vietnamese, with and without diacritics, and English, by theme."""

from __future__ import annotations

import unicodedata

ENGLISH, VIETNAMESE, VIETNAMESE_PLAIN = range(3)

# theme -> (unhappy English, unhappy Vietnamese, happy English, happy Vietnamese)
THEMES: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "price": (
        ("Too expensive for what it does.", "The price went up again.", "Not worth the money any more."),
        ("Giá quá cao so với chất lượng.", "Đắt quá, không đáng tiền.", "Tăng giá liên tục."),
        ("Great value for the price.", "Fair price.", "Cheaper than the others and just as good."),
        ("Giá hợp lý.", "Đáng đồng tiền.", "Giá rẻ hơn chỗ khác."),
    ),
    "delivery": (
        ("Delivery took two weeks.", "My parcel arrived late and damaged.", "Shipping is slow."),
        ("Giao hàng quá chậm.", "Hàng đến trễ, hộp bị móp.", "Đợi giao hàng cả tuần."),
        ("Fast delivery!", "Arrived the next day, well packed.", "Shipping was quick."),
        ("Giao hàng nhanh.", "Giao hàng đúng hẹn, đóng gói cẩn thận.", "Ship nhanh lắm."),
    ),
    "quality": (
        ("The quality has gone down.", "The item broke after a week.", "Poor quality."),
        ("Chất lượng kém.", "Hàng bị hỏng sau một tuần.", "Chất lượng không như trước."),
        ("Excellent quality.", "Well made, I would buy it again.", "The coffee is of very good quality."),
        ("Chất lượng rất tốt.", "Hàng chất lượng, sẽ mua lại.", "Sản phẩm bền và đẹp."),
    ),
    "support": (
        (
            "Support never answers.",
            "I waited days for a reply from customer service.",
            "The support staff were rude.",
        ),
        ("Nhân viên hỗ trợ không trả lời.", "Chăm sóc khách hàng quá tệ.", "Gọi tổng đài mãi không ai nghe."),
        ("Support helped me within minutes.", "Friendly customer service.", "Very helpful support team."),
        ("Nhân viên nhiệt tình.", "Hỗ trợ nhanh và thân thiện.", "Chăm sóc khách hàng tốt."),
    ),
    "app": (
        ("The app keeps crashing.", "Too many bugs since the last update.", "The app is slow and confusing."),
        ("Ứng dụng hay bị lỗi.", "App bị treo liên tục.", "Phần mềm chậm và khó dùng."),
        ("The app is easy to use.", "Love the new app.", "The dashboard is clear and simple to use."),
        ("Ứng dụng dễ dùng.", "Giao diện app rất đẹp.", "Phần mềm dễ sử dụng."),
    ),
    "features": (
        (
            "Missing features that I need.",
            "No integration with my accounting software.",
            "I need a better export.",
        ),
        ("Thiếu tính năng tôi cần.", "Không có tính năng xuất báo cáo.", "Tính năng còn quá ít."),
        (
            "It has every feature we need.",
            "The reports feature saves me hours.",
            "The new features are great.",
        ),
        ("Nhiều tính năng hữu ích.", "Tính năng báo cáo rất hay.", "Đầy đủ tính năng."),
    ),
    # Says how it was, not why: a theme finder has nothing to find here.
    "none": (
        ("Disappointed.", "Meh.", "Would not recommend."),
        ("Thất vọng.", "Không hài lòng.", "Tạm được."),
        ("Love it!", "All good, thank you.", "Keep it up."),
        ("Tuyệt vời!", "Rất hài lòng.", "Cảm ơn shop."),
    ),
}
THEME_NAMES = tuple(THEMES)

# reason -> (English, Vietnamese)
CANCEL_COMMENTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "price": (
        ("Too expensive after the price increase.", "We have to cut costs."),
        ("Giá tăng cao quá.", "Chi phí đắt quá, bên mình phải cắt giảm."),
    ),
    "missing_feature": (
        ("No integration with our tools.", "The export feature we need is missing."),
        ("Thiếu tính năng cần thiết.", "Không có tính năng kết nối với phần mềm kế toán."),
    ),
    "competitor": (
        ("Switching to another provider.", "A competitor offers more."),
        ("Chuyển sang nhà cung cấp khác.", "Bên khác tốt hơn."),
    ),
    "poor_service": (
        ("Support never answered my tickets.", "Customer service was terrible."),
        ("Hỗ trợ quá chậm, không ai trả lời.", "Dịch vụ chăm sóc khách hàng tệ."),
    ),
    "not_using": (
        ("We hardly use it.", "I don't have time to use it."),
        ("Không dùng đến nữa.", "Không có thời gian sử dụng."),
    ),
    "business_closed": (
        ("We are closing the business.", "The company was wound up."),
        ("Công ty đóng cửa.", "Ngừng kinh doanh."),
    ),
    "moved": (
        ("Moving abroad.", "We moved to another city."),
        ("Chuyển nhà ra nước ngoài.", "Mình chuyển đi nơi khác."),
    ),
    "other": (
        ("Personal reasons.", "No comment."),
        ("Lý do cá nhân.", "Không muốn nói."),
    ),
}


def without_diacritics(text: str) -> str:
    """Vietnamese as it is typed in a hurry.

    >>> without_diacritics("Đắt quá")
    'Dat qua'
    """
    decomposed = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def _in_three_languages(english: tuple[str, ...], vietnamese: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [english, vietnamese, tuple(without_diacritics(text) for text in vietnamese)]


def theme_sentences() -> tuple[list[str], int]:
    """All sentences, flat, and the size of a group; the group is ((theme * 2 + is_happy) * 3 + language)."""
    groups: list[tuple[str, ...]] = []
    for bad_en, bad_vi, good_en, good_vi in THEMES.values():
        groups += _in_three_languages(bad_en, bad_vi) + _in_three_languages(good_en, good_vi)
    return [text for group in groups for text in group], 3


def cancel_sentences(reasons: tuple[str, ...]) -> tuple[list[str], int]:
    """All comments on leaving, flat, and how many each group has; the group is (reason * 3 + language)."""
    groups: list[tuple[str, ...]] = []
    for reason in reasons:
        groups += _in_three_languages(*CANCEL_COMMENTS[reason])
    return [text for group in groups for text in group], 2
