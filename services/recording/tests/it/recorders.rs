//! Files in the formats of the three supported writers.

use barrage_recording::{Item, ItemKind, Limits, Mode, Skipped, parse};

fn items(file: &str) -> Vec<Item> {
    let recording = parse(file.as_bytes(), &Limits::default()).expect("the file is valid");
    assert_eq!(recording.skipped, Skipped::default(), "{}", recording.skipped);
    recording.items
}

fn gift(offset_ms: u64, sender: &str, name: &str, count: u32, price_minor: u64) -> Item {
    let kind = ItemKind::Gift { name: name.into(), count, price_minor };
    Item { offset_ms, sender: sender.into(), kind }
}

#[test]
fn blrec_prices_in_thousandths_and_repeats_memberships_as_toasts() {
    let items = items(
        r#"<?xml version='1.0' encoding='utf8'?>
        <i><metadata><user_name>host</user_name></metadata>
        <d p="3.500,5,36,255,1700000000000,0,1a2b3c4d,9" uid="77" user="安">上面</d>
        <gift ts="1.000" uid="5" user="乙" giftname="辣条" giftcount="8" cointype="银瓜子" price="100"/>
        <gift ts="2.000" uid="5" user="乙" giftname="小花花" giftcount="3" cointype="金瓜子" price="1000"/>
        <guard ts="4.000" uid="6" user="丙" giftname="舰长" count="1" price="138000" level="3"/>
        <toast ts="4.000" uid="6" user="丙" unit="月" count="1" price="138000" role="舰长" level="3">x</toast>
        <sc ts="5.000" uid="7" user="丁" price="30000" time="60">加油</sc></i>"#,
    );
    let chat = ItemKind::Chat { text: "上面".into(), mode: Mode::Top, color: 255, size_px: 36 };
    let paid = ItemKind::SuperChat { text: "加油".into(), amount_minor: 3_000, currency: "CNY".into() };
    assert_eq!(
        items,
        [
            gift(1_000, "乙", "辣条", 8, 0),
            gift(2_000, "乙", "小花花", 3, 100),
            Item { offset_ms: 3_500, sender: "安".into(), kind: chat },
            gift(4_000, "丙", "舰长", 1, 13_800),
            Item { offset_ms: 5_000, sender: "丁".into(), kind: paid },
        ]
    );
}

#[test]
fn bililive_recorder_prices_super_chats_in_yuan_and_embeds_a_style_sheet() {
    let items = items(
        r##"<?xml version="1.0" encoding="utf-8"?>
        <?xml-stylesheet type="text/xsl" href="#s"?>
        <i><!-- comment --><chatserver>chat.bilibili.com</chatserver>
        <BililiveRecorder version="1.3.11" />
        <BililiveRecorderXmlStyle><z:stylesheet><z:template match="/"><html><body><div><table>
          <z:for-each select="/i/d"><tr><td><z:value-of select="@user"/></td></tr></z:for-each>
        </table></div></body></html></z:template></z:stylesheet></BililiveRecorderXmlStyle>
        <d p="0.25,1,25,16777215,1700000000,0,12345,0" user="甲" raw="{&quot;a&quot;:[1]}">开播</d>
        <sc ts="9" user="乙" price="30" time="60">醒目</sc>
        <gift ts="9.5" user="乙" giftname="小花花" giftcount="2" />
        <guard ts="10" user="丙" level="1" count="1" /></i>"##,
    );
    assert_eq!(items.len(), 4);
    assert_eq!(items[0].sender, "甲");
    let paid = ItemKind::SuperChat { text: "醒目".into(), amount_minor: 3_000, currency: "CNY".into() };
    assert_eq!(items[1].kind, paid);
    assert_eq!(items[2], gift(9_500, "乙", "小花花", 2, 0));
    assert_eq!(items[3], gift(10_000, "丙", "总督", 1, 1_999_800));
}

#[test]
fn files_of_the_site_have_hashes_as_senders() {
    let items = items(
        r#"<i><d p="1.0006,6,18,4278190335,0,0,5bd04b14,51870527213010951,10">a&gt;b <![CDATA[<c>]]></d></i>"#,
    );
    let chat = ItemKind::Chat { text: "a>b <c>".into(), mode: Mode::Reverse, color: 255, size_px: 18 };
    assert_eq!(items, [Item { offset_ms: 1_001, sender: "5bd04b14".into(), kind: chat }]);
}
