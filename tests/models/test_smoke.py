from conversations.models import Conversation, Item, MetadataPair
from conversations.schema.items import validate_items

def test_it(alice, bob):
    c = Conversation.create_with_items(owner=alice, metadata={"topic": "demo","b":"ü😀"}, items=validate_items([{"role":"user","content":"hi"},{"role":"assistant","content":"ho"}]))
    items = c.add_items(items=validate_items([{"role":"user","content":"3"},{"type":"compaction_trigger"},{"role":"user","content":"4","id":"msg_4"}]))
    assert [i.position for i in items]==[3,4]
    assert c.item_count==4
    page = c.items.page(limit=2, order="asc", after=items[0].item_id)
    assert [i.item_id for i in page.items]==["msg_4"] and not page.has_more
    c2 = Conversation.create_with_items(owner=alice, items=[{"type":"item_reference","id":"msg_4"}])
    assert c2.items.get().data["content"][0]["text"]=="4"
    c.delete_item(item_id="msg_4")
    assert c.item_count==3 and c.last_position==4
    c.replace_metadata(metadata={"x":"y"})
    assert Conversation.objects.visible_to(alice).matching(metadata={"x":"y"}).get()==c
    assert list(Conversation.objects.get(pk=c.pk).metadata)==["x"]
    c.delete_with_items()
    assert MetadataPair.objects.count()==0 and Item.objects.count()==1
